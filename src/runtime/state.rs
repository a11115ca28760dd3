//! What a step knows about time: advanced on the device once a step, read by everything else.
use crate::args;

args! {
    /// Counters and schedule of training. One launch of a step writes it (`optim/weight_grad`), and nobody
    /// else reads it in that launch.
    pub struct State {
        /// Steps done.
        pub step: u32,
        /// Low word of the seed.
        pub seed_lo: u32,
        /// High word of the seed.
        pub seed_hi: u32,
        /// `1 - beta1^step`, by recurrence: no cancellation, the same on every device.
        pub correction1: f32,
        /// `1 - beta2^step`.
        pub correction2: f32,
        /// Learning rate of the step being applied.
        pub lr: f32,
        /// Weight of the past in the moving average of this step.
        pub ema: f32,
        /// Loss summed over the chunks of the batch so far.
        pub loss: f32,
        /// Masked rows of the batch so far.
        pub masked: f32,
        /// Weights of the rows of the batch so far, summed.
        pub weight: f32,
        /// 1 where the last batch's loss was not finite, so that its update is left out.
        pub blocked: u32,
        /// Unused.
        pub pad2: u32,
    }
}

impl State {
    /// The state before the first step.
    pub fn new(seed: u64) -> Self {
        Self { seed_lo: seed as u32, seed_hi: (seed >> 32) as u32, ..Self::default() }
    }
    /// The 64-bit seed.
    pub fn seed(&self) -> u64 {
        u64::from(self.seed_lo) | (u64::from(self.seed_hi) << 32)
    }
}

args! {
    /// What a run of a plan is told from outside: constant over many steps.
    pub struct RunArgs {
        /// Rows of this chunk that exist.
        pub rows: u32,
        /// Rows the slots are laid out for, a multiple of the tile.
        pub pad: u32,
        /// Index of the chunk's first row in the batch (training) or among all draws (inference).
        pub row0: u32,
        /// Rows of the whole batch; the loss is their mean.
        pub batch: u32,
        /// Rows that share a data set (inference); 1 otherwise.
        pub draws: u32,
        /// Number of the first data set (inference): part of the random counter.
        pub set0: u32,
        /// Step at which the index table starts (offline training).
        pub first_step: u32,
        /// Calls of the program.
        pub calls: u32,
    }
}

args! {
    /// Hyper-parameters of a training step.
    pub struct StepArgs {
        /// Peak learning rate.
        pub lr: f32,
        /// Steps of linear warm-up W.
        pub warmup: f32,
        /// Steps in all T; the cosine ends there.
        pub total: f32,
        /// 1: cosine after the warm-up; 0: constant.
        pub cosine: f32,
        /// Decay of the first moment.
        pub beta1: f32,
        /// Decay of the second moment.
        pub beta2: f32,
        /// Added to the root of the second moment.
        pub eps: f32,
        /// Decoupled weight decay, matrices only.
        pub decay: f32,
        /// Largest norm of the gradient.
        pub clip: f32,
        /// Most weight of the past in the moving average; 0 makes the average follow the weights.
        pub ema: f32,
        /// Unused.
        pub pad0: u32,
        /// Unused.
        pub pad1: u32,
    }
}

impl State {
    /// Learning rate of step `t`: `lr (t+1)/W` while t < W, then `lr (1 + cos(pi (t-W)/(T-W)))/2`.
    pub fn learning_rate(a: &StepArgs, t: f32) -> f32 {
        if t < a.warmup {
            return a.lr * (t + 1.0) / a.warmup;
        }
        let done = ((t - a.warmup) / (a.total - a.warmup).max(1.0)).min(1.0);
        let cosine = 0.5 * (1.0 + crate::math::cos_2pi(0.5 * done));
        a.lr * (1.0 + a.cosine * (cosine - 1.0))
    }
    /// Ends the gradient part of a step. Twin of `advance` in `optim/weight_grad_end.wgsl`.
    pub fn advance(&mut self, a: &StepArgs) {
        let t = self.step as f32;
        self.lr = Self::learning_rate(a, t);
        self.ema = a.ema.min((1.0 + t) / (10.0 + t));
        self.step += 1;
        self.correction1 = self.correction1 * a.beta1 + (1.0 - a.beta1);
        self.correction2 = self.correction2 * a.beta2 + (1.0 - a.beta2);
        self.loss = 0.0;
        self.masked = 0.0;
        self.weight = 0.0;
    }
}
