/** All kinds of source; a new one is one file and one line here. The first that recognises a text takes it. */
import { folderKind } from './folder.js'
import { hubKind } from './hub.js'
import { runKind } from './run.js'
import type { SourceKind } from './source.js'
import { webKind } from './web.js'

export const sourceKinds: readonly SourceKind[] = [folderKind, runKind, webKind, hubKind]
