/** `snapshots/<plan>/<backup id>` → backup id */
export function backupOf(snapshot: string): string {
  return snapshot.slice(snapshot.lastIndexOf('/') + 1);
}
