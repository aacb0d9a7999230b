/** All layouts. To add a framework: one file beside this one, and one line here. */
import { hfTrainer } from './hf-trainer.js'
import type { Layout } from './layout.js'
import { lightning } from './lightning/index.js'
import { speechBrain } from './speechbrain.js'

export const layouts: readonly Layout[] = [speechBrain, hfTrainer, lightning]

/** The layout with that id; undefined for an id that no layout has. */
export function findLayout(id: string): Layout | undefined {
  return layouts.find((layout) => layout.id === id)
}
