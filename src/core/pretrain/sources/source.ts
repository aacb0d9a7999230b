/** Where files come from. To add a kind of source: its file, and a line in `registry.ts`. */
import type { Scalar } from '../../formats/yaml/config-yaml.js'
import type { Digest, Network, Remote } from '../download/index.js'
import type { Storage } from '../../storage/storage.js'

/** One file of a source. */
export interface Wanted {
  /** Of the loadable. */
  readonly key: string
  /** The name that it has there; null for the source's own name for the key. */
  readonly file: string | null
  /** What it must be, as the plan says; null when that says nothing. */
  readonly digest: Digest | null
}

export interface LocalFile {
  readonly kind: 'local'
  /** Absolute. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** That it belongs to; null for a file that was named itself. */
  readonly checkpoint: { readonly name: string; readonly path: string } | null
}

export interface RemoteFile extends Remote {
  readonly kind: 'remote'
  /** Another one means another file; null when the server does not say. */
  readonly validator: string | null
}

export type Located = LocalFile | RemoteFile

/** How a hub of Hugging Face is reached: what the environment says. */
export interface HubSettings {
  /** `https://…` with no slash at its end; null for the library's own. */
  readonly endpoint: string | null
  readonly token: string | null
}

export interface SourceContext {
  readonly storage: Storage
  readonly network: Network
  readonly hub: HubSettings
  /** Unix seconds. */
  readonly now: number
  readonly signal?: AbortSignal | undefined
  /** For people: a checkpoint that was passed over, a key that no checkpoint has. */
  readonly onWarning: (text: string) => void
}

export interface Source {
  readonly kind: string
  /** For people. */
  readonly text: string
  /** For people, and to know it again: where it is on a network. Null for what lies on this machine. */
  identify(wanted: Wanted): string | null
  /** The file's own name, without folders; null where the source has none of its own for it before it is located. */
  nameOf(wanted: Wanted): string | null
  /** What to ask for to get the file called `name` that lies beside `wanted`; null where only `locate` can tell. */
  beside(wanted: Wanted, name: string): string | null
  /**
   * Looks it up, and reads none of it. Throws CkptError: `not-found`, `no-match`, `damaged` as the source is, and what
   * the file system and the network say.
   */
  locate(wanted: Wanted, context: SourceContext): Promise<Located>
}

/** The plain values of a mapping, by their keys. */
export type Fields = ReadonlyMap<string, Scalar>

export interface SourceKind {
  /** The key that a mapping of this kind has: `{run: exp/save}`. */
  readonly name: string
  /** Keys that it may have beside that. */
  readonly options: readonly string[]
  /** A source from a mapping. `base` is what relative paths are relative to. Throws CkptError `usage`. */
  read(fields: Fields, base: string): Promise<Source>
}
