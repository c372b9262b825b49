#!/usr/bin/env bash
# What `npm test` runs: lint, types, build, then every test; the deployed stack of test/e2e-aws last and alone, because it
# needs both cores. `--fast` leaves out what takes long or needs servers: *.server.test.ts, *.slow.test.ts, test/e2e,
# test/e2e-aws, test/simulation, test/stack, test/long. Other arguments go to jest. The very last line is always `N passed, N failed, N skipped`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

jest_arguments=() is_fast=false
for argument in "$@"; do
  if [ "$argument" = --fast ]; then is_fast=true; else jest_arguments+=("$argument"); fi
done

report=$(mktemp)
trap 'rm -f "$report"' EXIT
passed=0 failed=0 skipped=0

step() {
  local name=$1 begin=$SECONDS
  shift
  if "$@"; then passed=$((passed + 1)); echo "ok: $name ($((SECONDS - begin)) s)"
  else failed=$((failed + 1)); echo "FAILED: $name ($((SECONDS - begin)) s): $*"; fi
}

# A suite that could not even start holds no tests; it counts as one failure. So does a jest that died without a report.
jest_counts() {
  node -e '
    const report = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const skipped = report.numPendingTests + report.numTodoTests;
    console.log(report.numPassedTests, report.numFailedTests + report.numRuntimeErrorTestSuites, skipped);' "$report" 2>/dev/null || echo '0 1 0'
}

node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' || { echo "node is $(node -v), wanted 24 or newer in node_modules/.bin: run npm ci"; echo '0 passed, 1 failed, 0 skipped'; exit 1; }
# Threads of tests load TypeScript by Node's own type stripping, which is WebAssembly, and V8 (Node 24.21) now and then aborts
# when threads replace the same wrapper of an import by a faster one (docs/testing.md). With this budget none is replaced.
jest_flags=(--no-warnings --wasm-wrapper-tiering-budget=1000000000)
# Its arguments are jest's; the counts of its report are added to the sums.
jest_run() {
  local status run_passed run_failed run_skipped
  : >"$report"
  node "${jest_flags[@]}" node_modules/jest/bin/jest.js --ci --json --outputFile="$report" "$@" >/dev/null
  status=$?
  read -r run_passed run_failed run_skipped < <(jest_counts)
  [ "$status" -eq 0 ] || [ "$run_failed" -gt 0 ] || run_failed=1
  passed=$((passed + run_passed)) failed=$((failed + run_failed)) skipped=$((skipped + run_skipped))
}

step lint oxlint --deny-warnings
step typecheck tsc --noEmit -p .
step build node scripts/build.mjs
if $is_fast; then
  jest_run '--testPathIgnorePatterns=/test/(e2e|e2e-aws|simulation|stack|long)/|\.(server|slow)\.test\.ts$' "${jest_arguments[@]}"
elif [ ${#jest_arguments[@]} -gt 0 ]; then
  jest_run "${jest_arguments[@]}"
else
  step servers bash scripts/servers.sh
  jest_run '--testPathIgnorePatterns=/test/e2e-aws/'
  jest_run --runInBand --testPathPatterns=/test/e2e-aws/
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
