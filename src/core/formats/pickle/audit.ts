/**
 * What Python would run while it loads a pickle. A pickle is a program: it can call anything that can be imported
 * (CPython Lib/pickle.py, `find_class`, and `load_reduce`). Nothing of it is run here, but it is reported.
 */
import { bounded, isDangerous, isDeep, nameOf, textOfName, type Name } from './danger.js'
import type { PickleCalls } from './machine.js'
import type { PickleGlobal, PickleInstance, PickleNode, PickleObject } from './nodes.js'
import { globalName, textOf } from './nodes.js'

export interface PickleAudit {
  /** Calls that no checkpoint needs: each would run code, or read and write files. A sentence each, no two alike. */
  readonly unsafe: readonly string[]
  /**
   * Classes and functions that are called and that are not known to be harmless, with the number of calls; of very many
   * some by name, and the rest under `others`.
   */
  readonly opaque: ReadonlyMap<string, number>
}

const harmless =
  /^(?:collections\.(?:OrderedDict|defaultdict|Counter|deque)|builtins\.(?:set|frozenset|bytearray|bytes|complex|slice|range|xrange|int|long|float|bool|str|unicode|list|tuple|dict|object)|copyreg\._reconstructor|copy_reg\._reconstructor|_codecs\.encode|numpy\.(?:_?core\.multiarray\.(?:_reconstruct|scalar)|_core\.numeric\._frombuffer|core\.numeric\._frombuffer|ndarray|dtype(?:s\.\w+)?|bool_?|u?int\d+|float\d+|complex\d+)|datetime\.(?:datetime|date|time|timedelta|timezone)|pathlib(?:\._local)?\.\w*Path|decimal\.Decimal|fractions\.Fraction|uuid\.UUID|argparse\.Namespace|types\.SimpleNamespace|torch\.(?:Size|device|Tensor|\w+Tensor|nn\.parameter\.(?:Parameter|Buffer)|serialization\._get_layout|_utils\._rebuild_\w+|_tensor\._rebuild_from_type_v2|tensor\._rebuild_from_type_v2|nn\.(?:modules|parallel)\.[\w.]+))$/

/** Findings that are reported. */
const mostReported = 100
/** A file that has this many is known for what it is. */
const mostFindings = 1000
/** Opaque names that are reported. */
const mostNames = 1000

/** Stands for the opaque names that are not listed. */
const others = '(others)'

/** True for a stream of torch's own that loading runs nothing in. */
export type IsPlainStream = (bytes: Uint8Array) => boolean

/**
 * Looks at every call that a pickle makes. A tensor in a bare pickle is a stream of torch's in itself, which
 * `torch.storage._load_from_bytes` loads: `isPlainStream` tells of one whether it is no more than that; left out, none is.
 */
export function auditPickle(
  { instances, globals, altered }: PickleCalls,
  isPlainStream: IsPlainStream = () => false,
): PickleAudit {
  const names = new Names()
  const unsafe = new Set(altered.map((node) => `changes ${names.of(node)?.text ?? node.name}`))
  const opaque = new Map<string, number>()
  // Nearly all files name nothing that could do harm: then what is handed to calls need not be looked at.
  const isSuspect = globals.some((node) => reaching.has(node.name) || names.of(node)?.isDangerous === true)
  const seen = new Set<PickleNode>()
  let findings = 0
  for (const instance of instances) {
    const called = names.of(instance.callee)
    if (called?.text === loadingBytes && isPlain(instance, isPlainStream)) continue
    const finding = isSuspect ? findingOf(instance, called, names, seen) : null
    if (finding !== null) {
      if (unsafe.size < mostReported) unsafe.add(finding)
      findings += 1
      if (findings === mostFindings) break
    } else if (called !== null && !called.isHarmless) {
      const name = opaque.size < mostNames || opaque.has(called.text) ? called.text : others
      opaque.set(name, (opaque.get(name) ?? 0) + 1)
    }
  }
  return { unsafe: [...unsafe], opaque }
}

const loadingBytes = 'torch.storage._load_from_bytes'

function isPlain(instance: PickleInstance, isPlainStream: IsPlainStream): boolean {
  const [stream, ...more] = argumentsOf(instance)
  const { keywords, states, items, entries } = instance
  if (more.length + states.length + items.length + entries.length > 0 || keywords !== null) return false
  const bytes = bytesOf(stream)
  return bytes !== null && isPlainStream(bytes)
}

/** Up to protocol 2 bytes are a text that Python encodes (CPython Lib/pickle.py, `save_bytes`). */
function bytesOf(node: PickleNode | undefined): Uint8Array | null {
  if (typeof node !== 'object' || node === null) return null
  if (node.kind === 'bytes') return node.bytes
  if (node.kind !== 'call' || globalName(node.callee) !== '_codecs.encode') return null
  const [text, encoding] = argumentsOf(node)
  return typeof text === 'string' && encoding === 'latin1' ? Buffer.from(text, 'latin1') : null
}

function findingOf(
  instance: PickleInstance,
  called: Callable | null,
  names: Names,
  seen: Set<PickleNode>,
): string | null {
  if (called?.isDangerous === true) return `calls ${called.text}`
  const handed = dangerHandedTo(instance, names, seen)
  if (handed !== null) return `hands ${handed} to ${called === null ? 'a call' : called.text}`
  const reached = names.of(instance)
  if (reached === null) return null
  if (reached.isDangerous) return `reaches for ${reached.text}`
  const { states, items, entries } = instance
  return states.length + items.length + entries.length > 0 ? `changes ${reached.text}` : null
}

/** What something is called, and what follows from that. */
class Callable {
  readonly #name: Name
  readonly isDangerous: boolean
  #isHarmless: boolean | undefined

  constructor(name: Name) {
    this.#name = name
    this.isDangerous = isDangerous(name)
  }

  get name(): Name {
    return this.#name
  }

  get text(): string {
    return textOfName(this.#name)
  }

  get isHarmless(): boolean {
    this.#isHarmless ??= harmless.test(this.text)
    return this.#isHarmless
  }
}

/** Files of one kind name the same few classes and functions: what follows from a name is found out once. */
const callables = new Map<string, Map<string, Callable>>()
const mostCallables = { modules: 100, ofModule: 100 }

/** Longer ones are no names of checkpoints' classes. */
const longestKept = 200

function callableOf({ module, name }: PickleGlobal): Callable {
  const known = callables.get(module)
  const found = known?.get(name)
  if (found !== undefined) return found
  const made = new Callable(nameOf(moduleOf({ module }), name))
  if (module.length > longestKept || name.length > longestKept) return made
  const named = known ?? new Map<string, Callable>()
  if (known === undefined && callables.size < mostCallables.modules) callables.set(module, named)
  if (named.size < mostCallables.ofModule) named.set(name, made)
  return made
}

/** Callables by their nodes: a file refers to a few of them, some very often. */
class Names {
  readonly #known = new Map<PickleNode, Callable | null>()

  /** What a callee is called: a global, or attributes of one, however they are reached. Null for anything else. */
  of(given: PickleNode): Callable | null {
    return this.#of(given, 0)
  }

  /** `depth` calls are made of what this one gives. */
  #of(given: PickleNode, depth: number): Callable | null {
    const node = typeof given === 'object' && given?.kind === 'persistent' ? moduleClass(given.id) : given
    if (typeof node !== 'object' || node === null || !canHaveName(node)) return null
    const found = this.#known.get(node)
    if (found !== undefined) return found
    const callable = node.kind === 'global' ? callableOf(node) : this.#reach(node, depth)
    // Where it winds only because one looks from far behind it, it has a name of its own.
    if (depth === 0 || callable?.name.isWinding !== true) this.#known.set(node, callable)
    return callable
  }

  #reach(node: PickleObject, depth: number): Callable | null {
    const name = this.#find(node, depth)
    return name === null ? null : new Callable(name)
  }

  #find(node: PickleObject, depth: number): Name | null {
    if (node.kind !== 'call' || typeof node.callee !== 'object' || node.callee?.kind !== 'global') return null
    const callee = `${moduleOf(node.callee)}.${node.callee.name}`
    const [first = null, second] = argumentsOf(node)
    if (callee === 'builtins.getattr') {
      const further = textOf(second)
      if (further === undefined) return null
      if (isDeep(depth)) return { module: '?', attributes: [bounded(further)], isWinding: true }
      const base = this.#of(first, depth + 1)
      return base === null ? null : nameOf(base.name.module, further, base.name)
    }
    if (callee !== 'builtins.__import__' && callee !== 'importlib.import_module') return null
    return { module: bounded(textOf(first) ?? '?'), attributes: [], isWinding: false }
  }
}

/** Most nodes have none, and need no place among the known. */
function canHaveName(node: PickleObject): boolean {
  if (node.kind === 'global') return true
  if (node.kind !== 'call' || typeof node.callee !== 'object' || node.callee?.kind !== 'global') return false
  return reaching.has(node.callee.name)
}

/** What gives a module or an attribute when it is called. */
const reaching = new Set(['getattr', '__import__', 'import_module'])

/** torch's older streams refer to a module's class as ('module', class, file, source). */
function moduleClass(id: PickleNode): PickleGlobal | null {
  const cls = typeof id === 'object' && id !== null && 'items' in id ? id.items[1] : undefined
  return typeof cls === 'object' && cls?.kind === 'global' ? cls : null
}

/** Python 3 reads Python 2's names so (CPython Lib/_compat_pickle.py). */
function moduleOf({ module }: Pick<PickleGlobal, 'module'>): string {
  return module === '__builtin__' || module === '__builtins__' ? 'builtins' : bounded(module)
}

function argumentsOf({ args }: PickleInstance): readonly PickleNode[] {
  return typeof args === 'object' && args !== null && 'items' in args ? args.items : []
}

/** A dangerous function among what a call is given, however deep: getattr(os, 'system'), map(eval, …). */
function dangerHandedTo(instance: PickleInstance, names: Names, seen: Set<PickleNode>): string | null {
  return (
    dangerWithin([instance.args, instance.keywords], names, seen) ??
    dangerWithin(instance.states.filter(isNoDict), names, seen) ??
    dangerAmongHooks(instance, names)
  )
}

function isNoDict(node: PickleNode): boolean {
  return typeof node !== 'object' || node?.kind !== 'dict'
}

/** Looks through tuples, lists, sets and dicts, each of them once in a whole pickle. */
function dangerWithin(nodes: readonly PickleNode[], names: Names, seen: Set<PickleNode>): string | null {
  const left: PickleNode[] = [...nodes]
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    if (typeof node !== 'object' || node === null) continue
    const danger = dangerOf(node, names)
    if (danger !== null) return danger
    const inner = insideOf(node)
    if (inner === null || seen.has(node)) continue
    seen.add(node)
    for (const one of inner) if (typeof one === 'object' && one !== null) left.push(one)
  }
  return null
}

function insideOf(node: PickleObject): readonly PickleNode[] | null {
  switch (node.kind) {
    case 'tuple':
    case 'list':
    case 'set':
    case 'frozenset':
      return node.items
    case 'dict':
      return node.entries.map(([, value]) => value)
    default:
      return null
  }
}

/** What unpickling itself calls when an object has it among its attributes (CPython Modules/_pickle.c). */
const calledByUnpickling = new Set<PickleNode>(['__setstate__', 'append', 'extend', 'add'])

function dangerAmongHooks({ states }: PickleInstance, names: Names): string | null {
  for (const state of states) {
    if (typeof state !== 'object' || state?.kind !== 'dict') continue
    for (const [key, value] of state.entries) {
      const danger = calledByUnpickling.has(key) ? dangerOf(value, names) : null
      if (danger !== null) return danger
    }
  }
  return null
}

/** Of `getattr` itself nobody can tell what it is called with: functools.reduce leads by it from a class to any module. */
function dangerOf(node: PickleNode, names: Names): string | null {
  const callable = names.of(node)
  return callable !== null && (callable.isDangerous || callable.text === 'builtins.getattr') ? callable.text : null
}
