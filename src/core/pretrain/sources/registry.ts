import { folderKind } from './folder.js'
import { hubKind } from './hub.js'
import { runKind } from './run.js'
import type { SourceKind } from './source.js'
import { webKind } from './web.js'

export const sourceKinds: readonly SourceKind[] = [folderKind, runKind, webKind, hubKind]
