/**
 * Runs as a job left them two hours before: what was changed within the hour is looked at twice, a second apart
 * (core/checkpoints/health/still-written.ts), and all of a fresh clone was.
 */
import { lstatSync, lutimesSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Seconds. */
const [hour, twoHours] = [3600, 7200]

/** Makes what lies below the folder, and was changed within the hour, two hours older. */
export function letRest(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) letRest(path)
    const time = lstatSync(path).mtimeMs / 1000
    if (time > Date.now() / 1000 - hour) lutimesSync(path, time - twoHours, time - twoHours)
  }
}

/** The fixtures that tests use where they are. */
export function setup(): void {
  for (const name of ['fixtures', '../examples']) {
    try {
      letRest(fileURLToPath(new URL(`./${name}`, import.meta.url)))
    } catch {
      // They are somebody else's: it takes a second here and there.
    }
  }
}
