import { outageTests } from '@micro/kafka-suite'
import { subject } from './subject.ts'

await outageTests(subject)
