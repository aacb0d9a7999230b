/** Patterns for the names of tensors: `*` stays within one part of a name, `**` crosses dots, and `**.` is any number of parts. */

export type NameFilter = (name: string) => boolean

/**
 * True for names that match any of the patterns, or all names where there is none. `?` is one character, `{a,b}` one
 * of several. A pattern cannot run away, whatever the names are.
 */
export async function nameFilter(patterns: readonly string[]): Promise<NameFilter> {
  if (patterns.length === 0) return () => true
  const { RE2JS } = await import('re2js')
  const compiled = patterns.map((pattern) => RE2JS.compile(regularExpression(pattern), RE2JS.DOTALL))
  return (name) => compiled.some((one) => one.matches(name))
}

function regularExpression(pattern: string): string {
  let depth = 0
  return (
    pattern.replace(/(?<=^|[.{,])\*\*\.|\*\*|[*?{},]|[^*?{},]+/g, (token) => {
      switch (token) {
        // Whole parts, none too.
        case '**.':
          return '(?:.*\\.)?'
        case '**':
          return '.*'
        case '*':
          return '[^.]*'
        case '?':
          return '[^.]'
        case '{':
          depth += 1
          return '(?:'
        case '}':
          if (depth === 0) return '\\}'
          depth -= 1
          return ')'
        case ',':
          return depth > 0 ? '|' : ','
        default:
          return token.replace(/[.+^$()|[\]\\]/g, '\\$&')
      }
    }) + ')'.repeat(Math.max(0, depth))
  )
}
