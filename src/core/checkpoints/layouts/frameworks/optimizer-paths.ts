/** An optimizer's state dict, under whatever key, also in a list or a mapping of several, or one level deeper. */
const optimizerPaths = [
  ['*', 'param_groups'],
  ['*', '0', 'param_groups'],
  ['*', '*', 'param_groups'],
]

/** For a source of `torch`: hidden facts, of which any is true where the file holds an optimizer's state. */
export const optimizerFacts: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  optimizerPaths.map((path, index) => [`#optimizer${index}`, path]),
)

/** Undefined where no file was read for them. */
export function holdsOptimizer(facts: ReadonlyMap<string, unknown>): boolean | undefined {
  const answers = Object.keys(optimizerFacts).map((fact) => facts.get(fact))
  return answers.every((one) => one === undefined) ? undefined : answers.includes(true)
}
