/** What the commands are for, in the order in which `ckpt --help` shows them. */

export interface HelpGroup {
  readonly title: string
  /** Names of commands, and of topics where several commands share one. */
  readonly names: readonly string[]
}

export const helpGroups: readonly HelpGroup[] = [
