/**
 * A look into a file by what it answered in an earlier scan, when it was the same: it is opened only for what was not
 * asked then. Only torch's files and archives are looked at so, whose parsing is what takes time; of any other file the
 * bytes are remembered.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import type { FileAnswers } from '../file-facts.js'
import { heads, type FileLook, type Head, type OpenedFile, type Question } from '../spec.js'

/** What a look tells before anything is asked. */
interface Kind {
  readonly size: number
  readonly is: ReadonlySet<Head>
  readonly broken: string | null
  readonly unsafe: string | null
}

/**
 * Throws StorageError where the file must be opened and cannot be. An answer is remembered where it is certain: goes by the
 * file alone.
 */
export async function lookRemembering(
  path: string,
  facts: FileAnswers,
  open: () => Promise<OpenedFile>,
  isCertain: () => boolean,
): Promise<FileLook> {
  const kind = kindIn(facts.get(kindQuestion))
  if (kind !== null) return new RememberedLook(path, kind, facts, open)
  const opened = await open()
  if (!isParsed(opened) || !isCertain()) return opened
  facts.keep(kindQuestion, kindFact(opened))
  return new RememberedLook(path, opened, facts, open, opened)
}

function isParsed({ is, broken }: OpenedFile): boolean {
  return is.has('torch') || is.has('zip') || broken !== null
}

const kindQuestion = 'kind'

function kindFact({ size, is, broken, unsafe }: Kind): MetaValue {
  return [size, broken, unsafe, [...is]]
}

/** Null for anything else. */
function kindIn(fact: MetaValue | undefined): Kind | null {
  if (!Array.isArray(fact)) return null
  const [size, broken, unsafe, is] = fact as readonly (MetaValue | undefined)[]
  if (typeof size !== 'number' || !isTextOrNull(broken) || !isTextOrNull(unsafe) || !Array.isArray(is)) return null
  const known = heads.filter((head) => is.includes(head))
  return known.length === is.length ? { size, broken, unsafe, is: new Set(known) } : null
}

function isTextOrNull(value: MetaValue | undefined): value is string | null {
  return value === null || typeof value === 'string'
}

class RememberedLook implements FileLook {
  readonly size: number
  readonly is: ReadonlySet<Head>
  readonly broken: string | null
  readonly unsafe: string | null

  constructor(
    readonly path: string,
    { size, is, broken, unsafe }: Kind,
    private readonly facts: FileAnswers,
    private readonly open: () => Promise<OpenedFile>,
    private file: OpenedFile | null = null,
  ) {
    this.size = size
    this.is = is
    this.broken = broken
    this.unsafe = unsafe
  }

  async answer<T extends MetaValue>({ text, fits, ask }: Question<T>): Promise<T> {
    const known = this.facts.get(text)
    if (known !== undefined && fits(known)) return known
    const file = await this.opened()
    const found = await ask(file)
    this.facts.keep(text, found)
    return found
  }

  async zip(): Promise<ReadonlyMap<string, number> | null> {
    return this.answer(entries)
  }

  async zipJson(entry: string): Promise<MetaValue> {
    return this.answer({ text: `json of ${entry}`, fits: isAnything, ask: async (file) => file.zipJson(entry) })
  }

  async sum(): Promise<number | null> {
    return this.answer(sum)
  }

  async head(): Promise<Uint8Array> {
    return (await this.opened()).head()
  }

  async bytes(most: number): Promise<Uint8Array> {
    return (await this.opened()).bytes(most)
  }

  async json(): Promise<MetaValue> {
    return (await this.opened()).json()
  }

  private async opened(): Promise<OpenedFile> {
    return (this.file ??= await this.open())
  }
}

const isAnything = (value: MetaValue | undefined): value is MetaValue => value !== undefined

const sum: Question<number | null> = {
  text: 'sum',
  fits: (value) => value === null || typeof value === 'number',
  ask: async (file) => file.sum(),
}

type Sums = ReadonlyMap<string, number>

const entries: Question<Sums | null> = {
  text: 'entries',
  fits: (value): value is Sums | null => value === null || (isMeta(value) && areNumbers(value)),
  ask: async (file) => file.zip(),
}

function areNumbers(map: Meta): boolean {
  return [...map.values()].every((value) => typeof value === 'number')
}
