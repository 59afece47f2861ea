import { selectorConformance } from '@micro/conformance/selector'
import { randomSelector } from '@micro/core/selector'

selectorConformance({ name: 'random', create: () => randomSelector() })
