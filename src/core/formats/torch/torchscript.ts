/**
 * TorchScript archives (torch.jit.save): the pickle has each module as an object with all of its attributes; which of them
 * are parameters and buffers stands in the code of its class (torch/csrc/jit/serialization/python_print.cpp,
 * `printModuleMetadata`). The code is read for that, and never run.
 */
import { FormatError } from '../../errors.js'
import { globalName, type PickleInstance, type PickleNode } from '../pickle/index.js'
import { attributesOf } from '../pickle/attributes.js'
import type { NamedTensor } from './names.js'
import { tensorOf, type StorageReferences } from './tensor.js'

/** What the code says of one class of modules. */
export interface ScriptClass {
  readonly parameters: readonly string[]
  readonly buffers: readonly string[]
}

/** The file of an archive's code that a class stands in, below `code/`: `__torch__.a.B` is in `__torch__/a.py`. */
export function codeFileOf(className: string): string {
  return `${className.split('.').slice(0, -1).join('/')}.py`
}

/** The modules that one file of code declares, by their short names. */
export function scriptClasses(code: string): Map<string, ScriptClass> {
  const classes = new Map<string, ScriptClass>()
  const pieces = code.split(/^class (\w+)\(Module\):$/m)
  for (let at = 1; at + 1 < pieces.length; at += 2) {
    const body = pieces[at + 1] ?? ''
    classes.set(pieces[at] ?? '', {
      parameters: namesIn(body, '__parameters__'),
      buffers: namesIn(body, '__buffers__'),
    })
  }
  return classes
}

function namesIn(body: string, list: string): string[] {
  const items = new RegExp(`^  ${list} = \\[([^\\]\\n]*)\\]`, 'm').exec(body)?.[1] ?? ''
  return [...items.matchAll(/"([^"\\]*)"/g)].map(([, name = '']) => name)
}

/** Names of classes that a pickle makes objects of. */
export function classNames(globals: readonly PickleNode[]): Set<string> {
  return new Set(globals.flatMap((node) => globalName(node) ?? []).filter((name) => name.startsWith('__torch__.')))
}

/** Names of modules in each other, and of all together: a module under several names is listed under each. */
const deepest = 200
const mostNames = 1_000_000

/** The tensors of the program's state_dict, as `torch.jit.load` gives it. Throws FormatError. */
export function listTorchScript(
  root: PickleNode,
  classes: ReadonlyMap<string, ScriptClass>,
  references: StorageReferences,
): NamedTensor[] {
  const tensors: NamedTensor[] = []
  let visits = 0
  const visit = (node: PickleInstance, path: string, depth: number): void => {
    visits += 1
    if (depth > deepest || visits > mostNames) throw new FormatError('torch: a program of modules without end')
    const own = classOf(node, classes)
    const attributes = new Map(
      attributesOf(node).flatMap(([key, value]) => (typeof key === 'string' ? [[key, value]] : [])),
    )
    for (const name of [...(own?.parameters ?? []), ...(own?.buffers ?? [])]) {
      const value = attributes.get(name)
      if (value === undefined || value === null) continue
      tensors.push({ name: path + name, tensor: tensorAt(value, path + name, references) })
    }
    for (const [name, value] of attributes) {
      if (isModule(value, classes)) visit(value, `${path}${name}.`, depth + 1)
    }
  }
  if (!isModule(root, classes)) throw new FormatError('torch: a program whose object is not a module')
  visit(root, '', 0)
  return tensors
}

function tensorAt(node: PickleNode, name: string, references: StorageReferences): NamedTensor['tensor'] {
  const found = tensorOf(node, references)
  if (found !== undefined && 'storage' in found) return found
  throw new FormatError(`torch: ${JSON.stringify(name)} is declared as a tensor, but is not one`)
}

function classOf({ callee }: PickleInstance, classes: ReadonlyMap<string, ScriptClass>): ScriptClass | undefined {
  return classes.get(globalName(callee) ?? '')
}

function isModule(node: PickleNode, classes: ReadonlyMap<string, ScriptClass>): node is PickleInstance {
  return typeof node === 'object' && node !== null && 'callee' in node && classOf(node, classes) !== undefined
}
