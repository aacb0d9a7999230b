/** A piece of a file for a message: escaped, in quotes, and cut. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
