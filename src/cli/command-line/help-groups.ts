/** What the commands are for, in the order in which `ckpt --help` shows them. */

export interface HelpGroup {
  readonly title: string
  /** Names of commands, and of topics where several commands share one. */
  readonly names: readonly string[]
}

export const helpGroups: readonly HelpGroup[] = [
  { title: 'LOOK', names: ['list', 'show', 'runs', 'du', 'find', 'plot', 'report', 'watch', 'log', 'layouts'] },
  { title: 'CLEAN', names: ['prune', 'rm', 'pin', 'unpin', 'demote', 'trash', 'gc', 'verify', 'doctor'] },
  { title: 'JOBS', names: ['recover', 'run', 'submit', 'stop', 'stalled', 'save'] },
  { title: 'TENSORS', names: ['tensors', 'diff', 'transfer', 'average', 'convert', 'export', 'pretrain'] },
]

/** Whatever stands in no group. */
export const otherTitle = 'MORE'
