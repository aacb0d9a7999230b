/** How a command is typed, in one line. */

/** What oclif's help and our own commands have of a command. */
export interface Typed {
  readonly id: string
  readonly args: Readonly<Record<string, UsageArgument>>
  readonly flags: Readonly<Record<string, UsageFlag>>
}

interface UsageFlag {
  readonly type: 'boolean' | 'option'
  readonly required?: boolean | undefined
  readonly helpValue?: string | string[] | undefined
}

interface UsageArgument {
  readonly name?: string
  readonly required?: boolean | undefined
  readonly multiple?: boolean | undefined
}

/** `diff A B [FLAGS]`: arguments, and what must be given; every other flag stands in the help. */
export function usageOf({ id, args, flags }: Typed): string {
  const shown = Object.entries(args).map(([key, arg]) => {
    const name = `${argumentName(key, arg)}${arg.multiple === true ? '...' : ''}`
    return arg.required === true ? name : `[${name}]`
  })
  const needed = Object.entries(flags).flatMap(([name, flag]) =>
    flag.required === true ? [`--${name}${flag.type === 'option' ? ` ${String(flag.helpValue)}` : ''}`] : [],
  )
  return [id.replaceAll(':', ' '), ...shown, ...needed, '[FLAGS]'].join(' ')
}

/** As help shows it: `FILE|CHECKPOINT`. oclif's types promise a name that need not be there. */
export function argumentName(key: string, { name = key }: UsageArgument): string {
  return name.includes('.') ? name : name.toUpperCase()
}
