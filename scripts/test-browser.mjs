/**
 * `npm run test:browser`: the page of a report in Debian's Chromium, which is installed when it is missing and we are
 * root (CKPT_TEST_CHROMIUM names another). Where there is none it says so and what was not tested, and exits with 0.
 */
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install, Unavailable, works } from './debian.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const names = [process.env.CKPT_TEST_CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome'].filter(Boolean)

/** Its name or path; undefined where there is none that starts. */
function chromium() {
  return names.find((name) => works(name, ['--version']))
}

/** Why there is none here; null when there is one. */
function whyMissing() {
  if (chromium() !== undefined) return null
  try {
    install(['chromium'], 'there is no Chromium')
    return chromium() === undefined ? 'the one that was installed does not start' : null
  } catch (error) {
    if (error instanceof Unavailable) return error.message
    throw error
  }
}

const reason = whyMissing()
if (reason !== null) {
  console.log(`test:browser: no Chromium here: ${reason}`)
  console.log('test:browser: NOT TESTED: the page of ckpt report in a browser')
  process.exit(0)
}

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', join(root, 'vitest.browser.config.ts'), ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', env: { ...process.env, CKPT_TEST_CHROMIUM: chromium() } },
)
process.exitCode = status ?? 1
