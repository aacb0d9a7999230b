/** The few colours in use, by what they mean. */
import { styleText } from 'node:util'

const styles = {
  bad: 'red',
  warning: 'yellow',
  good: 'green',
  title: 'bold',
  faint: 'dim',
  accent: 'cyan',
} as const

export type Meaning = keyof typeof styles
export type Paint = (meaning: Meaning, text: string) => string

export function painter(colours: boolean): Paint {
  return (meaning, text) =>
    colours && text !== '' ? styleText(styles[meaning], text, { validateStream: false }) : text
}
