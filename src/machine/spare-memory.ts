/** Memory in place of time, where very much is held at once. */

/**
 * V8 lets its heap grow to a multiple of what is in use before it looks for garbage in all of it: of a run of a hundred
 * thousand checkpoints most of a gigabyte would be garbage. These have it look after a third more, which takes a tenth
 * more of the processor.
 */
export const sparing = '--heap-growing-percent=30'
const usual = '--heap-growing-percent=0'

/**
 * From now on. Gives what ends it: code that was compiled under other flags than the usual is refused at the next start.
 * Nothing is changed where it is not known that there is such a flag, which would be complained of on stderr.
 */
export async function spareMemory(): Promise<() => void> {
  if (!process.version.startsWith('v20.') || 'bun' in process.versions) return () => undefined
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString(sparing)
  return () => {
    setFlagsFromString(usual)
  }
}
