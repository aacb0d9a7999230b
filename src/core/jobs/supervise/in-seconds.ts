/** A time for people: `0.007 s`, `0.5 s`, `2 s`, `120 s`. */
export function inSeconds(seconds: number): string {
  if (seconds < 1) return `${Number(seconds.toPrecision(1))} s`
  return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)} s`
}
