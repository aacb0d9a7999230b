/** Retention: which checkpoints stay and which may go, with the reasons. */
export { parseAge } from './age.js'
export { plan, type Kept, type RetentionPlan, type PlanInput, type Removed } from './plan.js'
export type { KeepCode, Reason, RemoveCode } from './reason.js'
export { checkKeep, checkPolicy, type Policy, type RankedOrder, type SpaceTarget } from './policy.js'
export { protect, type Protections } from './protect.js'
export { rules } from './registry.js'
export { parseAmount, parseBytes, type Amount } from './size.js'
export { parseCount, type Rule, type RuleContext, type RuleKind } from './rule.js'
