import { selectorConformance } from '@micro/conformance/selector'
import { roundRobinSelector } from '@micro/plugin-selector-round-robin'

selectorConformance({ name: 'round-robin', create: () => roundRobinSelector() })
