/** What a file's name ends in. */

/** What stands behind the last dot, as it is written; empty where there is none. */
export function suffixOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1 || name.length)
}
