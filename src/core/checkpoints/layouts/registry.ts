/** Every layout there is; adding one is a line here. Order decides only where two are sure of the same thing. */
import { accelerate } from './frameworks/accelerate.js'
import { lightgbm, xgboost } from './frameworks/boosting.js'
import { flax } from './frameworks/flax.js'
import { keras, kerasBackup } from './frameworks/keras.js'
import { orbax } from './frameworks/orbax.js'
import { nemo } from './frameworks/nemo.js'
import { paddle } from './frameworks/paddle.js'
import { paddleNlp } from './frameworks/paddlenlp.js'
import { savePretrained } from './frameworks/save-pretrained.js'
import { spacy } from './frameworks/spacy.js'
import { stableBaselines3 } from './frameworks/stable-baselines3.js'
import { tensorflow } from './frameworks/tensorflow.js'
import { composer } from './frameworks/composer.js'
import { coqui } from './frameworks/coqui.js'
import { deepSpeed } from './frameworks/deepspeed.js'
import { detectron2 } from './frameworks/detectron2.js'
import { diffusers } from './frameworks/diffusers.js'
import { espnet } from './frameworks/espnet.js'
import { fairseq } from './frameworks/fairseq.js'
import { ignite } from './frameworks/ignite.js'
import { megatron } from './frameworks/megatron.js'
import { mmengine } from './frameworks/mmengine.js'
import { rayTune } from './frameworks/ray-tune.js'
import { timm } from './frameworks/timm.js'
import { torchDistributed, torchtitan } from './frameworks/torch-distributed.js'
import { torchImagenet } from './frameworks/torch-imagenet.js'
import { torchPlain } from './frameworks/torch-plain.js'
import { torchtune } from './frameworks/torchtune.js'
import { ultralytics } from './frameworks/ultralytics.js'
import { wenet } from './frameworks/wenet.js'
import type { OwnMarker } from './engine/own-marker.js'
import { layoutOf } from './from-spec.js'
import { hfTrainer } from './frameworks/hf-trainer.js'
import type { Layout } from './layout.js'
import { lightning } from './lightning/index.js'
import { speechBrain } from './frameworks/speechbrain.js'
import type { LayoutSpec } from './spec.js'

const specs: readonly LayoutSpec[] = [
  lightning,
  speechBrain,
  paddleNlp,
  hfTrainer,
  diffusers,
  rayTune,
  accelerate,
  torchtitan,
  megatron,
  nemo,
  composer,
  deepSpeed,
  torchtune,
  torchDistributed,
  fairseq,
  espnet,
  wenet,
  coqui,
  timm,
  ultralytics,
  mmengine,
  detectron2,
  ignite,
  keras,
  kerasBackup,
  tensorflow,
  orbax,
  flax,
  stableBaselines3,
  spacy,
  xgboost,
  lightgbm,
  paddle,
  savePretrained,
  torchImagenet,
  torchPlain,
]

/** Of people's own, from their settings: they know best what a name means, and are asked first. */
let own: readonly LayoutSpec[] = []
let allSpecs = specs
let marker: OwnMarker | null = null

/** Made when they are asked for: most runs are of one. */
const made = new WeakMap<LayoutSpec, Layout>()

function layoutFor(spec: LayoutSpec): Layout {
  const layout = made.get(spec) ?? layoutOf(spec)
  made.set(spec, layout)
  return layout
}

/** From now on these are known too, and the file that is written last; what an earlier call named is not any more. */
export function useOwnLayouts(layouts: readonly LayoutSpec[], ownMarker: OwnMarker | null = null): void {
  own = layouts
  marker = ownMarker
  allSpecs = own.length === 0 ? specs : [...own, ...specs]
}

/** Every layout, people's own first. */
export function knownLayouts(): readonly Layout[] {
  return allSpecs.map(layoutFor)
}

/** The same as data. */
export function knownSpecs(): readonly LayoutSpec[] {
  return allSpecs
}

/** True while people's own, or their own sign of a finished save, are known. */
export function hasOwnLayouts(): boolean {
  return own.length > 0 || marker !== null
}

/** The file of people's own that is written last, whatever the layout. */
export function ownMarker(): OwnMarker | null {
  return marker
}

/** True for a layout of people's own. */
export function isOwnLayout(id: string): boolean {
  return own.some((spec) => spec.id === id)
}

/** The layout with that id; undefined for an id that no layout has. */
export function findLayout(id: string): Layout | undefined {
  const spec = allSpecs.find((one) => one.id === id)
  return spec === undefined ? undefined : layoutFor(spec)
}
