/** All keep-rules. */
import { keepCalendar } from './keep-calendar.js'
import { keepEvery } from './keep-every.js'
import { keepFirst } from './keep-first.js'
import { keepWhere } from './keep-where.js'
import { keepWithin } from './keep-within.js'
import type { RuleKind } from './rule.js'

/** Every keep-rule; a new one is one file and one line here. */
export const rules: readonly RuleKind[] = [keepEvery, keepWithin, ...keepCalendar, keepWhere, keepFirst]
