/** Every layout there is; adding one is a line here. Order decides only where two are sure of the same thing. */
import { accelerate } from './frameworks/accelerate.js'
import { layoutOf } from './from-spec.js'
import { hfTrainer } from './hf-trainer.js'
import type { Layout } from './layout.js'
import { lightning } from './lightning/index.js'
import { speechBrain } from './speechbrain.js'
import type { LayoutSpec } from './spec.js'

/** Those that are data. */
export const specs: readonly LayoutSpec[] = [accelerate]

/** Those that read by themselves. */
export const readers: readonly Layout[] = [speechBrain, hfTrainer, lightning]

export const layouts: readonly Layout[] = [...readers, ...specs.map(layoutOf)]

/** The layout with that id; undefined for an id that no layout has. */
export function findLayout(id: string): Layout | undefined {
  return layouts.find((layout) => layout.id === id)
}
