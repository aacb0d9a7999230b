/** Lays short texts one after the other into lines that fit the width. */
import { cutText, displayWidth } from './text-width.js'

/** What is not the first line begins with it. */
const indent = '  '

interface Part {
  readonly text: string
  /** Of a text that has no styles. */
  readonly paint?: (text: string) => string
}

/** As many of them on a line as there is room for; one that is wider than a line is cut. */
export function flowing(parts: readonly Part[], width: number, gap = '  '): string[] {
  const lines: string[] = []
  let used = Infinity
  for (const { text: whole, paint } of parts) {
    const text = cutText(whole, width - (lines.length === 0 ? 0 : indent.length))
    const painted = paint?.(text) ?? text
    if (used + gap.length + displayWidth(text) <= width) {
      lines.push(`${lines.pop() ?? ''}${gap}${painted}`)
      used += gap.length + displayWidth(text)
    } else {
      const before = lines.length === 0 ? '' : indent
      lines.push(before + painted)
      used = before.length + displayWidth(text)
    }
  }
  return lines
}
