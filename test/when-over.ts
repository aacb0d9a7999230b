/**
 * What helpers of the tests do when a file or a test is over. The unit tests of one worker share their modules, so a
 * hook that a helper gave to vitest itself would be there for the first file alone; setup.ts gives these to each.
 */
type End = () => void | Promise<void>

const ends: Record<'file' | 'test', End[]> = { file: [], test: [] }

export function whenFileIsOver(end: End): void {
  ends.file.push(end)
}

export function whenTestIsOver(end: End): void {
  ends.test.push(end)
}

export async function end(what: 'file' | 'test'): Promise<void> {
  for (const one of ends[what]) await one()
}
