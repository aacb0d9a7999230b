/** A Slurm of one node on loopback, from start to stop, in a folder of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const template = join(dirname(fileURLToPath(import.meta.url)), 'slurm.conf')

const nodes = ['node', 'contested', 'lenient', 'failing']

/** Seconds. The node is there after one, and jobs are gone after KillWait. */
const patience = 20

/**
 * Starts a controller and a node and waits until the node takes jobs. `environment` is what clients need; `stop`
 * cancels all jobs, ends the daemons and removes the folder. Throws with the daemons' last words when the node does
 * not come up; nothing of it is left then.
 */
export async function startCluster() {
  const folder = mkdtempSync(join(tmpdir(), 'ckpt-slurm-'))
  const environment = { ...process.env, SLURM_CONF: join(folder, 'slurm.conf') }
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name))
  writeFileSync(environment.SLURM_CONF, await configuration(folder))
  const daemons = [['slurmctld', '-D', '-c'], ...nodes.map((node) => ['slurmd', '-D', '-N', node])].map(
    ([command, ...args]) => startDaemon(command, args, environment),
  )
  const ask = (command, ...args) => spawnSync(command, args, { env: environment, encoding: 'utf8' }).stdout?.trim()
  const stop = async () => {
    ask('scancel', '--full', '--user', userInfo().username)
    await until(() => ask('squeue', '--noheader', '--states=running,completing') === '')
    for (const daemon of daemons.toReversed()) await daemon.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  if (await until(() => /^(idle\n?)+$/.test(ask('sinfo', '--noheader', '--format=%T')))) return { environment, stop }
  const words = ['slurmctld', ...nodes].flatMap((name) => [`${name}:`, ...lastLines(join(folder, `${name}.log`))])
  await stop()
  throw new Error(['the node does not come up', ...words].join('\n'))
}

async function configuration(folder) {
  const [controllerPort, nodePort, contestedPort, lenientPort, failingPort] = await freePorts(5)
  const [host] = hostname().split('.')
  const values = {
    folder,
    host,
    user: userInfo().username,
    controllerPort,
    nodePort,
    contestedPort,
    lenientPort,
    failingPort,
  }
  return readFileSync(template, 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\{(\w+)\}/g, (_, name) => String(values[name]))
}

/** All are held until the last is found, so that no two are the same. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))))
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** In a session of its own: a Ctrl-C is for the tests, which then stop it in order. */
function startDaemon(command, args, env) {
  const daemon = spawn(command, args, { env, stdio: 'ignore', detached: true })
  const ended = new Promise((resolve) => daemon.on('error', resolve).on('exit', resolve))
  const stop = async () => {
    daemon.kill('SIGTERM')
    await Promise.race([ended, pause(patience * 1000, undefined, { ref: false })])
    daemon.kill('SIGKILL')
    await ended
  }
  return { stop }
}

async function until(holds) {
  for (const end = Date.now() + patience * 1000; Date.now() < end; await pause(100)) if (holds()) return true
  return false
}

function lastLines(path) {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-10)
  } catch (error) {
    return [error.message]
  }
}
