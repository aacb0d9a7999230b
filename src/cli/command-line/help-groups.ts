/** What the commands are for, in the order in which `ckpt --help` shows them. */

export interface HelpGroup {
  readonly title: string
  /** Names of commands, and of topics where several commands share one. */
  readonly names: readonly string[]
}

export const helpGroups: readonly HelpGroup[] = [
  { title: 'LOOK', names: ['list', 'runs', 'du', 'show', 'find', 'plot', 'watch', 'report', 'log', 'layouts'] },
  { title: 'CLEAN', names: ['prune', 'gc', 'rm', 'pin', 'unpin', 'demote', 'trash', 'verify', 'doctor'] },
  { title: 'JOBS', names: ['recover', 'run', 'submit', 'stop', 'stalled', 'save'] },
  { title: 'TENSORS', names: ['tensors', 'diff', 'transfer', 'average', 'convert', 'export', 'pretrain'] },
]

/** Whatever stands in no group. */
export const otherTitle = 'MORE'
