/** The platform's `fetch` with time limits: for the answer to begin, and for each next part of it. */
import type { Fetch } from '../core/pretrain/download/index.js'

/** Milliseconds for the head of an answer, and in which something of its body must come. */
const longestWait = 60_000
/** Bytes that come in that time at least: a modem of 1990 sent more. */
const leastBytes = 32 << 10

/** Statuses without a body (fetch standard, §2.2.3). */
const withoutBody = new Set([101, 103, 204, 205, 304])
/** The highest that a `Response` can be made with; some servers refuse with 999, which says nothing but that. */
const highestStatus = 599

export const patientFetch: Fetch = async (url, options) => {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(tooSlow('no answer')), longestWait)
  const given = options.signal ?? null
  const signal = given === null ? controller.signal : AbortSignal.any([given, controller.signal])
  try {
    const response = await fetch(url, { ...options, signal })
    const { body, status, statusText, headers } = response
    if (body === null || withoutBody.has(status) || status > highestStatus) return response
    return new Response(watched(body), { status, statusText: statusText.replace(/[^\t -~]/g, '?'), headers })
  } finally {
    clearTimeout(timer)
  }
}

/** As a connection that times out is reported (core/pretrain/download/connection-errors.ts). */
function tooSlow(what: string): Error {
  return Object.assign(new Error(`${what} within ${longestWait / 1000} s`), { code: 'ETIMEDOUT' })
}

/** Only the time counts in which somebody waits for the server: a slow disk here is not its fault. */
function watched(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let waited = 0
  let came = 0
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const began = performance.now()
        const part = await withinTime(reader)
        waited += performance.now() - began
        came += part.value?.length ?? 0
        if (part.done) {
          controller.close()
          return
        }
        if (waited > longestWait && came < leastBytes) {
          await reader.cancel()
          throw tooSlow(`only ${came} bytes`)
        }
        if (came >= leastBytes) [waited, came] = [0, 0]
        controller.enqueue(part.value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

async function withinTime(reader: ReadableStreamDefaultReader<Uint8Array>) {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(tooSlow('nothing more'))
      reader.cancel().catch(() => undefined)
    }, longestWait)
  })
  try {
    return await Promise.race([reader.read(), late])
  } finally {
    clearTimeout(timer)
  }
}
