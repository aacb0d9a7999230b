/** Errors that are made by the thousand. */

/**
 * The `yaml` package makes an error for each mistake, of which a small file can hold 250,000, and only the first is
 * reported: to write down where each was made takes two seconds and 300 MB.
 */
export function withoutStacks<T>(parse: () => T): T {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return parse()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
