/** Packages of the system that some tests need: had through apt by who may, or else it is said what is missing. */
import { spawnSync } from 'node:child_process'

/** What a test needs cannot be had here; the message says why. */
export class Unavailable extends Error {}

/** Gives the output, or throws Unavailable with the last line of what went wrong. */
export function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...options,
  })
  if (status === 0) return stdout.trim()
  const reason = (error?.message ?? `${stderr}${stdout}`).trim().split('\n').at(-1)
  throw new Unavailable(`${command} ${args.slice(0, 3).join(' ')}: ${reason}`)
}

export function works(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** Installs the packages. Throws Unavailable with `why` where that is not for us to do, and where it fails. */
export function install(packages, why) {
  if (process.getuid?.() !== 0 || !works('apt-get', ['--version'])) {
    throw new Unavailable(`${why}; on Debian: apt-get install ${packages.join(' ')}`)
  }
  console.log(`installing ${packages.join(', ')}`)
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  // Another apt may be at work.
  const args = ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...packages]
  try {
    run('apt-get', args, options)
  } catch {
    run('apt-get', ['update'], options)
    run('apt-get', args, options)
  }
}
