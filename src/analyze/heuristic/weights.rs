pub(super) const BIAS: [f32; 5] = [0.0; 5];
pub(super) const WEIGHTS: [[f32; 67]; 5] = [[0.0; 67]; 5];
