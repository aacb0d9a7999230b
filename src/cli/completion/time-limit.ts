/** How long runs are sought for a press of Tab. */

/** Milliseconds after the start of the program by which the answer is to be there. */
const answered = 60
/** Milliseconds that a search has at least, however long the program took to start. */
const leastSearch = 25
/** Folders that are searched in any case: a list with a part of so few runs hides what is sought. */
const alwaysSearched = 128
/** Milliseconds after which even those are not waited for: the file system answers slowly. */
const longestSearch = 500

/** `now` and `began`, when the search began, are milliseconds since the start of the program. */
export function isTimeOver(now: number, began: number, searched: number): boolean {
  const limit = searched < alwaysSearched ? began + longestSearch : Math.max(answered, began + leastSearch)
  return now > limit
}
