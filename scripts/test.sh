#!/usr/bin/env bash
# What `npm test` runs: lint, types, build, then every test. `--fast` leaves out test/e2e and test/simulation.
# Other arguments go to jest. The very last line is always `N passed, N failed, N skipped`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

jest_arguments=()
for argument in "$@"; do
  if [ "$argument" = --fast ]; then jest_arguments+=('--testPathIgnorePatterns=/test/(e2e|simulation)/'); else jest_arguments+=("$argument"); fi
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
step lint oxlint --deny-warnings
step typecheck tsc --noEmit -p .
step build node scripts/build.mjs
node --no-warnings node_modules/jest/bin/jest.js --ci --json --outputFile="$report" "${jest_arguments[@]}" >/dev/null
jest_status=$?
read -r jest_passed jest_failed jest_skipped < <(jest_counts)
[ "$jest_status" -eq 0 ] || [ "$jest_failed" -gt 0 ] || jest_failed=1
passed=$((passed + jest_passed)) failed=$((failed + jest_failed)) skipped=$((skipped + jest_skipped))

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
