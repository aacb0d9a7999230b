/**
 * Test files that take long come first, so that no worker is left alone with one at the end. vitest knows what each took
 * the last time; in a fresh clone it goes by the sizes of files, which say little of those that wait.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Seconds on two cores, of those that take 5 or more though they are short, or that many come before. */
const seconds: Readonly<Record<string, number>> = {
  'e2e/bounded.test.ts': 80,
  'e2e/killed.test.ts': 37,
  'e2e/run-ends.test.ts': 34,
  'e2e/examples.test.ts': 34,
  'e2e/completion.test.ts': 15,
  'e2e/hostile-text.test.ts': 24,
  'e2e/strange-files.test.ts': 14,
  'e2e/run-hooks.test.ts': 13,
  'e2e/library-examples.test.ts': 8,
  'core/checkpoints/layouts/contract.test.ts': 35,
  'faults.test.ts': 18,
  'machine/run-child.test.ts': 11,
  'core/runs/reporting/remembered-summaries.test.ts': 10,
  'fuzz.test.ts': 6,
  'watched-thread.test.ts': 6,
}

const known = ({ moduleId }: TestSpecification) => seconds[moduleId.replace(/^.*\/test\//, '')] ?? 0

export class SlowFirst extends BaseSequencer {
  /** The files of a project stay together. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const projects = [...new Set(sorted.map(({ project }) => project.name))]
    return projects.flatMap((name) =>
      sorted.filter(({ project }) => project.name === name).sort((a, b) => known(b) - known(a)),
    )
  }
}
