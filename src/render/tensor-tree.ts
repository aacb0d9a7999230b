/** Names of tensors as a tree, with what each branch weighs. */
import { painter } from './colours.js'
import type { Output } from './output.js'
import { aligned } from './aligned.js'
import { shapeText, shownName, titleOf, type ListedFile, type ListedTensor } from './tensors.js'
import { formatSize, plural } from './units.js'

interface Branch {
  readonly name: string
  readonly branches: Map<string, Branch>
  tensor: ListedTensor | null
  count: number
  bytes: number
}

/** Branches below this are shown by the rest of the name. */
const deepest = 24

export function renderTensorTree(files: readonly ListedFile[], output: Output): string[] {
  const paint = painter(output.colours)
  return files.flatMap((file, index) => {
    const rows: string[][] = []
    addRows(plant(file.tensors), 1, rows)
    return [...(index === 0 ? [] : ['']), titleOf(file, paint), ...aligned(rows, { width: output.width })]
  })
}

function plant(tensors: readonly ListedTensor[]): Branch {
  const root = newBranch('')
  for (const tensor of tensors) {
    const parts = tensor.name.split('.')
    const path = parts.length > deepest ? [...parts.slice(0, deepest - 1), parts.slice(deepest - 1).join('.')] : parts
    let at = root
    count(at, tensor)
    for (const part of path) {
      const next = at.branches.get(part) ?? newBranch(part)
      at.branches.set(part, next)
      at = next
      count(at, tensor)
    }
    at.tensor = tensor
  }
  return root
}

function newBranch(name: string): Branch {
  return { name, branches: new Map(), tensor: null, count: 0, bytes: 0 }
}

function count(branch: Branch, { bytes }: ListedTensor): void {
  branch.count += 1
  branch.bytes += bytes
}

function addRows({ branches }: Branch, depth: number, rows: string[][]): void {
  for (const branch of branches.values()) {
    const { name, tensor, bytes, count } = branch
    const label = '  '.repeat(depth) + shownName(name)
    rows.push(
      tensor === null
        ? [label, plural(count, 'tensor'), '', formatSize(bytes)]
        : [label, tensor.dtype, shapeText(tensor.shape), formatSize(tensor.bytes)],
    )
    addRows(branch, depth + 1, rows)
  }
}
