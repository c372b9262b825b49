import { describeStories } from './tell-stories.ts';

describeStories(2);
