/**
 * What a pickle describes, as inert data. A Python int is a `bigint`, a float a `number`. Nodes may be shared and may
 * contain themselves: a walk over them must remember where it has been.
 */
export type PickleNode = null | boolean | bigint | number | string | PickleObject

export type PickleObject =
  PickleSequence | PickleDict | PickleBytes | PickleGlobal | PickleInstance | PicklePersistent | PickleTensor

/** Only the machine fills what it has made; to all others nodes are as they are. */
export interface PickleSequence {
  readonly kind: 'list' | 'tuple' | 'set' | 'frozenset'
  items: PickleNode[]
}

export type PicklePair = readonly [key: PickleNode, value: PickleNode]

/** In the order written; a key that comes twice is there twice, and the last counts. */
export interface PickleDict {
  readonly kind: 'dict'
  entries: PicklePair[]
}

/** `string` is Python 2's str, which may be text. */
export interface PickleBytes {
  readonly kind: 'bytes' | 'bytearray' | 'string'
  readonly bytes: Uint8Array
}

/** A class or function, by name only. */
export interface PickleGlobal {
  readonly kind: 'global'
  readonly module: string
  readonly name: string
}

/**
 * What Python would make by calling `callee` with `args` ('call': REDUCE), or as an object of that class ('object':
 * NEWOBJ, NEWOBJ_EX, INST, OBJ), and what it would then put into it.
 */
export interface PickleInstance {
  readonly kind: 'call' | 'object'
  readonly callee: PickleNode
  readonly args: PickleNode
  /** Keyword arguments (NEWOBJ_EX); null when there are none. */
  readonly keywords: PickleNode
  /** What `__setstate__` would get (BUILD), each time. */
  states: PickleNode[]
  /** What was appended or added to it. */
  items: PickleNode[]
  /** What was set in it by key. */
  entries: PicklePair[]
}

/** Something outside of the pickle, a storage in torch's files. */
export interface PicklePersistent {
  readonly kind: 'persistent'
  readonly id: PickleNode
  /** Of all such in the pickle, in the order met. */
  readonly index: number
}

/**
 * A tensor as nearly all are: what a call of `torch._utils._rebuild_tensor_v2` with a storage, counts, and no hooks would
 * make, in short (see `spelledOut`).
 */
export interface PickleTensor {
  readonly kind: 'tensor'
  /** Of its storage among what lies outside of the pickle, in the order met. */
  readonly index: number
  /** The storage's class, its key, where it lay (`cpu`), and how many elements it has. */
  readonly cls: PickleGlobal
  readonly key: string
  readonly location: string
  readonly count: number
  /** In elements. */
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/** What refers to something outside of the pickle. */
export type PickleReference = PicklePersistent | PickleTensor

/** The text of a node: str, or Python 2's str where it is UTF-8; undefined for anything else. */
export function textOf(node: PickleNode | undefined): string | undefined {
  if (typeof node === 'string') return node
  if (typeof node !== 'object' || node?.kind !== 'string') return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(node.bytes)
  } catch {
    return undefined
  }
}

/** The items of a tuple or list; undefined for anything else. */
export function itemsOf(node: PickleNode | undefined): readonly PickleNode[] | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  return node.kind === 'tuple' || node.kind === 'list' ? node.items : undefined
}

/** A non-negative integer that a double holds; undefined for anything else. */
export function countOf(node: PickleNode | undefined): number | undefined {
  if (typeof node !== 'bigint' || node < 0n) return undefined
  const count = Number(node)
  return Number.isSafeInteger(count) ? count : undefined
}

/** `torch._utils._rebuild_tensor_v2` for a global; undefined for anything else. */
export function globalName(node: PickleNode | undefined): string | undefined {
  if (typeof node !== 'object' || node?.kind !== 'global') return undefined
  return `${node.module}.${node.name}`
}
