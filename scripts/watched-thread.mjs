/**
 * A thread that tries one input after another, and is watched by another: the input that it never ends with, be it in an
 * endless loop or by waiting for nothing, is known and the thread ended.
 */
import { Worker } from 'node:worker_threads'

/** Places in the head: the number of the input, and the bytes of its label and of itself. */
const [number, labelBytes, inputBytes] = [0, 1, 2]
const headBytes = 12

/** What is tried at present, in memory that both threads see. */
export class CurrentInput {
  /** `shared` is a SharedArrayBuffer; of an input that it does not hold the beginning is kept. */
  constructor(shared) {
    this.head = new Int32Array(shared, 0, headBytes / 4)
    this.bytes = new Uint8Array(shared, headBytes)
  }

  show(label, input) {
    const encoded = Buffer.from(label)
    const kept = input.subarray(0, this.bytes.length - encoded.length)
    this.bytes.set(encoded)
    this.bytes.set(kept, encoded.length)
    this.head[labelBytes] = encoded.length
    this.head[inputBytes] = kept.length
    Atomics.add(this.head, number, 1)
  }

  get number() {
    return Atomics.load(this.head, number)
  }

  /** A copy: the thread may write the next one meanwhile. */
  read() {
    const end = this.head[labelBytes]
    const label = Buffer.from(this.bytes.slice(0, end)).toString()
    return { label, input: this.bytes.slice(end, end + this.head[inputBytes]) }
  }
}

/**
 * Runs the module `file`, which gets `data` and the memory of its CurrentInput as `workerData` (`{ data, shared }`) and
 * shows there what it tries. Gives its exit code, and the input that it hung at, or null. It hangs when it has used
 * `limit.processor` seconds of the processor for one input, or `limit.clock` seconds have passed, or when it waits for
 * something that cannot come any more.
 */
export async function runWatched(file, data, limit, sharedBytes = 8 << 20) {
  const shared = new SharedArrayBuffer(sharedBytes)
  const current = new CurrentInput(shared)
  const thread = new Worker(file, { workerData: { data, shared } })
  const stuck = watch(current, limit, () => void thread.terminate())
  const code = await new Promise((resolve, reject) => thread.once('error', reject).once('exit', resolve)).finally(
    stuck.end,
  )
  // What Node ends an unsettled await of a module with.
  return { code, hung: stuck.isStuck() || code === unsettled ? current.read() : null }
}

const unsettled = 13
const pause = 200

function watch(current, limit, end) {
  let isStuck = false
  let last = { number: current.number, processor: process.cpuUsage(), clock: Date.now() }
  const timer = setInterval(() => {
    if (current.number !== last.number) {
      last = { number: current.number, processor: process.cpuUsage(), clock: Date.now() }
      return
    }
    // Nothing is tried yet.
    if (last.number === 0) return
    const { user, system } = process.cpuUsage(last.processor)
    const isOver = (user + system) / 1e6 > limit.processor || (Date.now() - last.clock) / 1000 > limit.clock
    if (!isOver) return
    isStuck = true
    end()
  }, pause)
  return { end: () => clearInterval(timer), isStuck: () => isStuck }
}
