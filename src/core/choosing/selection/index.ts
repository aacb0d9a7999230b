/** Selection: which checkpoint is the best or the newest, and which match a filter. */
export { byRecencyAcross } from './across-runs.js'
export { filter, find, type Answer, type Question } from './find.js'
export { describeContradictions } from './contradictions.js'
export {
  bestByOrders,
  bestOrder,
  bestPerMetric,
  impossibleMetrics,
  metricOrders,
  metricOrdersOfEach,
  monitoredKeys,
  frameworkDirections,
  varyingKeys,
} from './metrics.js'
export { describeAbsentBest, describeValue, namedBests, newestBookkeeping, type NamedBest } from './named-best.js'
export { needsComplete, needsHealth, needsMeasure } from './needs.js'
export { describeOrder, namesIn, rank, valueFor, type Criterion, type Order } from './rank.js'
export { byRecency, type Recency, type Scale } from './recency.js'
export { builtInNames, scopeOf, settingPrefix } from './scope.js'
export { trendsOf, type MetricTrend } from './trends.js'
export { describeTrainings, ofTraining, trainingNumbers, type TrainingChoice } from './trainings.js'
export { describeFutureTimes, futureTimed } from './future-times.js'
export { withUnknownValues } from './unknown-values.js'
export { describeUnknownKey, meant, unknownInAll, unknownKeys, type UnknownKey } from './unknown-keys.js'
