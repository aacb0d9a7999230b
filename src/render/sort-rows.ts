/** The order of rows by what stands in one of their columns. */

/** Ascending by `column`, or descending when `-` stands before its name; rows without a value come last. */
export function sortBy<Row>(rows: readonly Row[], column: string, valueOf: (row: Row, name: string) => unknown): Row[] {
  const descending = column.startsWith('-')
  const name = nameOfSort(column)
  const keyed = rows.map((row) => ({ row, value: valueOf(row, name) }))
  return keyed.sort((a, b) => compare(a.value, b.value, descending ? -1 : 1)).map(({ row }) => row)
}

/** The column of `--sort -loss`. */
export function nameOfSort(column: string): string {
  return column.startsWith('-') ? column.slice(1) : column
}

function compare(a: unknown, b: unknown, direction: 1 | -1): number {
  const kinds = kindOf(a) - kindOf(b)
  if (kinds !== 0) return kinds
  if (isComparable(a) && isComparable(b)) return a < b ? -direction : a > b ? direction : 0
  return 0
}

function isComparable(value: unknown): value is number | bigint | string | boolean {
  return kindOf(value) < 3
}

/** Numbers first, then texts; NaN and what has no order last. */
function kindOf(value: unknown): number {
  if (typeof value === 'number' && Number.isNaN(value)) return 3
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return 1
  return typeof value === 'string' ? 2 : 4
}
