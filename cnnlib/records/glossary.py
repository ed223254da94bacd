"""The glossary: a definition of each technical term that pages, commands and documents use.

The Glossary page shows it, and ``docs/make_glossary.py`` writes ``docs/glossary.md`` from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Term -> its definition: plain text, one to three sentences, and the source of a method.
GLOSSARY: Mapping[str, str] = {
    "Ablation": (
        "Removing one part of a network and measuring the accuracy again, to see how much the "
        "network needs that part. The lab mutes each filter in turn, or resets it to its first "
        "saved weights, and measures on validation pictures."
    ),
    "Accuracy": (
        "The number of pictures that a network classifies correctly, divided by the number of all "
        "pictures. The label says of which pictures: training, validation or test split."
    ),
    "Activation (function)": (
        "A function that is applied to each value of a layer's output and is not linear, such as "
        "ReLU, tanh or GELU. Without it, several layers in a row could compute no more than a "
        "single linear layer."
    ),
    "Activation (value)": (
        "A value that a layer computes for a picture. The memory of the activations is that of "
        "the outputs of all layers for a whole batch."
    ),
    "Activation maximisation": (
        "Searching for the input picture that gives a channel or a class the highest value, by "
        'gradient ascent from random noise. Source: Olah, Mordvintsev and Schubert, "Feature '
        'visualization", 2017.'
    ),
    "Adam": (
        "An optimiser that scales the step of each parameter by running averages of its gradient "
        'and of its squared gradient. Source: Kingma and Ba, "Adam: a method for stochastic '
        'optimization", 2015.'
    ),
    "AdamW": (
        "Adam with weight decay applied to the weights directly instead of through the gradient. "
        'Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.'
    ),
    "Antialiasing": (
        "Averaging over the small pixels that become one larger pixel when a picture is reduced. "
        "Without it, thin lines become jagged or disappear."
    ),
    "Attribution": (
        "A map of the pixels of a picture that the score of a class depends on. The lab has five "
        "methods: saliency, integrated gradients, occlusion, Grad-CAM and guided backpropagation."
    ),
    "Augmentation": (
        "Random changes to the training pictures, such as flip, shift and cutout, so that the "
        "network rarely sees exactly the same picture twice. Validation and test pictures are not "
        "changed."
    ),
    "Average pooling": "Pooling that takes the mean of the values in each window.",
    "Backward pass": (
        "The computation of the gradients of the loss, from the last layer back to the first. It "
        "costs about twice as much as the forward pass."
    ),
    "Batch": (
        "The pictures that are used together in one training step. Their number is the batch size."
    ),
    "Batch norm": (
        "A norm layer that brings each channel to mean 0 and variance 1 over the pictures of the "
        "batch, then multiplies by a learned scale and adds a learned shift. Outside training it "
        'uses running averages instead of the batch. Source: Ioffe and Szegedy, "Batch '
        'normalization", 2015.'
    ),
    "Best of many": (
        "The best of many results is partly due to luck: even among equally good designs, one "
        "result is the highest. Train the best design again with new seeds for a fair estimate."
    ),
    "bfloat16": (
        "A number format of 16 bits with the range of float32 and 8 bits of precision instead of "
        "24. Newer processors calculate faster with it; the weights stay in float32."
    ),
    "Bias": (
        "A learned number that is added to each output of a convolution or a linear layer: one "
        "for each output channel or output value."
    ),
    "Bit-exact": "Equal in every bit, not only up to rounding.",
    "Block": (
        "A group of layers that is repeated in a network. In a residual network a skip connection "
        "leads around each block."
    ),
    "Bottleneck": (
        "A residual block with a 1x1 convolution at each end: the first one reduces the number of "
        "channels, the last one restores it, so that the convolution between them is cheap. "
        'Source: He et al., "Deep residual learning for image recognition", 2016.'
    ),
    "Buffer": (
        "Numbers that belong to a network but are not learned by gradient, such as the running "
        "mean and variance of a batch norm. They are saved with the weights and are not counted "
        "as parameters."
    ),
    "Calibration": (
        "Whether the stated probabilities are right: of all answers that are given with a "
        "probability of 80 %, 80 % should be correct."
    ),
    "Calibration error": (
        "The mean distance between confidence and accuracy, over ten groups of answers with "
        "similar confidence, weighted by the size of the groups (expected calibration error). 0 "
        'is perfect. Source: Guo et al., "On calibration of modern neural networks", 2017.'
    ),
    "Centre of mass": (
        "The mean position of the ink of a drawing. The Draw page moves it to the centre of the "
        "picture, as it was done for the pictures of MNIST."
    ),
    "Channel": (
        "One of the parallel planes of a picture or of a layer's output. A colour picture has "
        "three channels; a convolution has one output channel for each of its filters."
    ),
    "Checkpoint": (
        "A saved step with everything that training needs to continue exactly: the weights, the "
        "state of the optimiser, and the progress of the run. A run is resumed or forked from a "
        "checkpoint."
    ),
    "Class": "One of the possible answers of a network, such as the digit 7.",
    "Class mode": (
        "A setting for a lab that several people share: each run has an owner, the queue takes "
        "turns, and limits apply to each person."
    ),
    "Compile": (
        "Let PyTorch translate a network into faster code before training (torch.compile). The "
        "translation itself takes time, so it only helps long runs."
    ),
    "Confidence": (
        "The probability that the network gives to its own answer: the largest value of the "
        "softmax."
    ),
    "Confidence interval": (
        "A range that is computed from measured data. The method is chosen so that, in 95 % of "
        "all cases, the range contains the true value. The label of an interval says whether it "
        "is about other test pictures (Wilson) or about other seeds (Student's t)."
    ),
    "Confusion matrix": (
        "A table of counts with one row for each true class and one column for each predicted "
        "class. The correct answers are on the diagonal."
    ),
    "Convolution": (
        "A layer that moves a small window over its input and computes a weighted sum of the "
        "pixels in the window at each position, with the same weights everywhere."
    ),
    "Correlation": (
        "The operation that networks call convolution: the kernel is used as it is. In "
        "mathematics a convolution turns the kernel by 180 degrees first. With learned weights "
        "there is no difference in what a network can do."
    ),
    "Cosine schedule": (
        "A schedule in which the learning rate falls from its peak to 0 along half a cosine wave. "
        'Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", '
        "2017."
    ),
    "Cross-entropy": (
        "The loss for classification: minus the logarithm of the probability that the network "
        "gives to the true class. A network that guesses among ten classes has about 2.30."
    ),
    "Curve": (
        "A number over the steps or epochs of a run, drawn as a line: the loss, the accuracy, the "
        "learning rate."
    ),
    "Cutout": (
        "Augmentation that covers a square at a random place of the picture with the mean colour "
        "of the training pictures. Source: "
        'DeVries and Taylor, "Improved regularization of convolutional neural networks with '
        'cutout", 2017.'
    ),
    "Dataset": "The pictures with their classes, divided into training, validation and test split.",
    "Dead channel": (
        "A channel that has the same value for all pictures that were tried. It carries no "
        "information."
    ),
    "Dead ReLU": (
        "A unit whose ReLU gives 0 for all pictures that were tried. It passes on no gradient, so "
        "it usually does not recover; a high learning rate is a common cause."
    ),
    "Deletion curve": (
        "The probability of a class while the pixels are removed from the picture, the most "
        "important ones first. With a good attribution map it falls faster than with pixels in "
        'random order. Source: Petsiuk, Das and Saenko, "RISE", 2018.'
    ),
    "Depth": "The number of layers with weights that follow one another.",
    "Design": (
        "The description of a network without its weights: its layers and their settings. The "
        "same design can be trained many times."
    ),
    "Diagnosis": (
        "A sentence about a problem of a run, found by rules from its recorded numbers, such as "
        "divergence or over-fitting, with possible causes and remedies."
    ),
    "Dilation": (
        "The distance between the pixels that a kernel looks at. With dilation 2 a 3x3 kernel "
        "covers 5x5 pixels and still has 9 weights."
    ),
    "Divergence": (
        "The loss becomes very large, infinite or not a number (NaN). The usual cause is a "
        'learning rate that is too high. The run then ends as "diverged".'
    ),
    "Downsampling": (
        "Reducing height and width of the feature maps, by pooling or by a stride greater than 1."
    ),
    "Dropout": (
        "Setting random values or channels to 0 during training, so that the network does not "
        'rely on single ones. It is off outside training. Source: Srivastava et al., "Dropout", '
        "2014."
    ),
    "Duel": (
        "A test whether design B is better than design A. Both are trained with the same seeds, "
        "pair after pair, until one is better, both count as equal, or the largest number of "
        "pairs is reached."
    ),
    "Duplicate": (
        "A picture that occurs more than once in a dataset. If it is in the training split and in "
        "the test split, the test accuracy is too high."
    ),
    "Early stopping": (
        "Ending a run when the validation loss has not improved for a number of epochs, the "
        "patience. By default the weights of the best epoch are then restored."
    ),
    "Effect of a setting": (
        "In an experiment, the difference between the best and the worst value of a setting: for "
        "each value, the mean accuracy of all its trials is taken. It does not show how two "
        "settings act together."
    ),
    "Epoch": "One pass over all pictures of the training split. Epochs are counted from 1.",
    "Equivalence margin": (
        "The difference below which two designs count as equal in a duel, in percentage points. "
        "It is chosen before the duel starts."
    ),
    "Evaluation": "Measuring loss and accuracy on a split without changing the weights.",
    "Execution mode": (
        "The way in which a training step is computed on the machine: number of threads, memory "
        "format, precision, and whether the network is compiled. Runs in different modes can "
        "differ in their last digits."
    ),
    "Experiment": "Several runs that vary settings in a planned way: a grid or a search.",
    "False alarm": (
        "A picture of the test split that out-of-distribution detection reports as unlike the "
        "training pictures."
    ),
    "Feature map": (
        "One channel of a layer's output: a small picture that shows how strongly a filter "
        "responds at each place."
    ),
    "Features": "The numbers that describe a picture before the last linear layers.",
    "Filter": (
        "The weights of one output channel of a convolution: one kernel for each input channel."
    ),
    "Fine-tuning": (
        "Training a network that is already trained further on other pictures, usually with a low "
        "learning rate."
    ),
    "Fingerprint": (
        "A short code computed from the content of a dataset. If a picture or a class changes, "
        "the fingerprint changes, and results before and after are not pooled."
    ),
    "Flatten": (
        "Putting all values of all feature maps into one long row, as the input of a linear layer."
    ),
    "Flip": (
        "Augmentation that mirrors a picture left to right with probability 1/2. It does not suit "
        "digits, as a mirrored digit is not a digit."
    ),
    "float32": "The usual number format of training: 32 bits, with about 7 decimal digits.",
    "FLOP": "One floating-point operation: an addition or a multiplication. One MAC is two FLOPs.",
    "Forecast": (
        "The expected time and memory of a run before it starts, from steps that were measured "
        "earlier, or from the number of FLOPs if nothing was measured."
    ),
    "Fork": (
        "A new run that starts from a saved step of another run, with changed settings. The other "
        "run stays as it is."
    ),
    "Forward pass": "The computation of a network's output from its input, layer by layer.",
    "Fully connected layer": "Another name for a linear layer.",
    "GELU, SiLU, ELU": (
        "Smooth relatives of ReLU, which let small negative values through. Sources: Hendrycks "
        "and Gimpel 2016 (GELU), Elfwing, Uchibe and Doya 2018 (SiLU), Clevert, Unterthiner and "
        "Hochreiter 2016 (ELU)."
    ),
    "Global average pooling": (
        "Replacing each feature map by its mean, so that one number per channel is left for the "
        'last layer. Source: Lin, Chen and Yan, "Network in network", 2014.'
    ),
    "Grad-CAM": (
        "An attribution map from the last feature maps: their sum, each weighted by the mean "
        "gradient of the class's score with respect to it; negative values become 0. Source: "
        'Selvaraju et al., "Grad-CAM", 2017.'
    ),
    "Gradient": (
        "For each parameter, how the loss changes when the parameter increases a little. Training "
        "moves the parameters against the gradient."
    ),
    "Gradient clipping": (
        "Scaling the gradients down when their total norm is above a limit, so that a single "
        'batch cannot change the weights too much. Source: Pascanu, Mikolov and Bengio, "On the '
        'difficulty of training recurrent neural networks", 2013.'
    ),
    "Gradient norm": (
        "The length of all gradients together as one vector: the square root of the sum of their "
        "squares."
    ),
    "Grid": "An experiment that trains every combination of the listed values.",
    "Group (of convolutions)": (
        'The convolutions between two poolings. The setting "Pool every" is their number.'
    ),
    "Group norm": (
        "A norm layer that normalises groups of channels, for each picture by itself. Source: Wu "
        'and He, "Group normalization", 2018.'
    ),
    "Group-sequential test": (
        "A statistical test that may be repeated while the data arrive. Its bounds are stricter "
        "than those of a single test, so that the error rate of the whole stays below the chosen "
        'level. Source: Lan and DeMets, "Discrete sequential boundaries for clinical trials", '
        "1983."
    ),
    "Growth (of channels)": (
        "The factor by which the number of channels grows each time the feature maps become "
        "smaller."
    ),
    "Guided backpropagation": (
        "An attribution map from the gradient of the class's score, where negative gradients are "
        "set to 0 at each ReLU. Its maps look clear but often depend little on the learned "
        'weights. Source: Springenberg et al., "Striving for simplicity", 2015.'
    ),
    "Head": (
        "The last part of a network, from the feature maps to the scores of the classes. It "
        "begins with flattening or with global average pooling."
    ),
    "Heartbeat": (
        "A time stamp that a worker writes regularly. If it is missing for some time, the run is "
        "shown as lost."
    ),
    "Hidden layer": "A linear layer between the image or the feature maps and the last layer.",
    "Hidden unit": (
        "One output value of a hidden layer. The number of hidden units is the width of that layer."
    ),
    "Hyperparameter": (
        "A setting that a person or a search chooses before training, such as the learning rate "
        "or the number of layers. Parameters, in contrast, are learned."
    ),
    "Inference": "Using a trained network on pictures, without training it.",
    "Initialisation": (
        'The choice of the random weights before the first step. "He" suits ReLU, "Xavier" tanh, '
        '"LeCun" layers without activation. Sources: He et al. 2015, Glorot and Bengio 2010, '
        "LeCun et al. 1998; for orthogonal weights Saxe et al. 2014."
    ),
    "Instance norm": (
        "A norm layer that normalises each channel of each picture by itself. Source: Ulyanov, "
        'Vedaldi and Lempitsky, "Instance normalization", 2016.'
    ),
    "Integrated gradients": (
        "An attribution map: the mean gradient on the straight line from a grey picture to the "
        "picture, multiplied by the difference of both. The values add up to the difference of "
        'the two scores. Source: Sundararajan, Taly and Yan, "Axiomatic attribution for deep '
        'networks", 2017.'
    ),
    "Interim analysis": (
        "A test of the results so far, before all data have been collected. A duel has one after "
        "each pair, starting with the third."
    ),
    "Jump": (
        "The distance, in pixels of the image, between two neighbouring values of a feature map. "
        "Each stride multiplies it."
    ),
    "Kernel": (
        "The weights that a filter applies to one input channel, for example 3x3 numbers. Its "
        "side is the kernel size."
    ),
    "Label": "The true class of a picture.",
    "Label smoothing": (
        "Training towards a little less than probability 1 for the true class; the rest is spread "
        "over all classes. The loss of the steps includes it and is then higher than the plain "
        'cross-entropy. Source: Szegedy et al., "Rethinking the Inception architecture for '
        'computer vision", 2016.'
    ),
    "Latency": (
        "The time from a request to its answer, for example from a move of a slider to the new "
        "numbers."
    ),
    "Layer": (
        "One operation of a network, such as a convolution, a norm layer, an activation, a "
        "pooling or a linear layer."
    ),
    "Layer norm": (
        "A norm layer that normalises all channels of a picture together. Source: Ba, Kiros and "
        'Hinton, "Layer normalization", 2016.'
    ),
    "Leaky ReLU": (
        "A ReLU that multiplies negative values by a small slope instead of setting them to 0."
    ),
    "Learning rate": (
        "The factor that decides how far one step moves the parameters. Too high: the loss "
        "diverges. Too low: training is slow."
    ),
    "Linear layer": (
        "A layer in which every output is a weighted sum of all inputs, plus a bias. PyTorch: "
        "Linear."
    ),
    "Logit": "The score of a class before the softmax. It can be any number.",
    "Loss": (
        "The number that training makes smaller: here the mean cross-entropy of a batch or a "
        "split. The training loss of a step is measured on that step's batch only."
    ),
    "MAC": (
        "Multiply-accumulate: one product that is added to a sum. The lab counts the MACs of "
        "convolutions and linear layers for one image, without bias."
    ),
    "Max pooling": "Pooling that takes the largest value in each window.",
    "Mean": "The sum of the values divided by their number.",
    "Median": "The middle value of a sorted list: half of the values are smaller, half are larger.",
    "Memory format": (
        "The order in which a batch of images lies in memory. NCHW stores one channel after the "
        'other; NHWC ("channels last") stores all channels of a pixel together. The results are '
        "the same up to rounding, the speed differs."
    ),
    "Momentum": (
        "The share of the previous update that is kept in the next one, so that steps in the same "
        'direction add up. Usual: 0.9. Source: Polyak, "Some methods of speeding up the '
        'convergence of iteration methods", 1964.'
    ),
    "Multilayer perceptron (MLP)": (
        "A network of linear layers and activations only, without convolutions."
    ),
    "Muon": (
        "An optimiser that makes the update of each weight matrix nearly orthogonal, with a few "
        "Newton-Schulz iterations, and treats the other parameters as AdamW does. Source: Jordan "
        'et al., "Muon: an optimizer for hidden layers in neural networks", 2024.'
    ),
    "Nesterov momentum": (
        "Momentum that uses the gradient a little ahead, in the direction of the coming step. "
        'Source: Nesterov 1983; Sutskever et al., "On the importance of initialization and '
        'momentum in deep learning", 2013.'
    ),
    "Norm (of numbers)": (
        "The length of a list of numbers as a vector, also called L2 norm: the square root of the "
        "sum of their squares."
    ),
    "Norm layer": (
        "A layer that brings its values to mean 0 and variance 1, then applies a learned scale "
        "and shift. Batch, layer, group and instance norm differ in the values that they take "
        "together."
    ),
    "Normalisation of pictures": (
        "Subtracting the mean of the training pictures from each pixel and dividing by their "
        "standard deviation, before the first layer."
    ),
    "Occlusion": (
        "An attribution map: a grey patch is moved over the picture, and the decrease of the "
        "class's score is recorded. Source: Zeiler and Fergus, \"Visualizing and understanding "
        'convolutional networks", 2014.'
    ),
    "One cycle": (
        "A schedule in which the learning rate rises to its peak and then falls to almost 0. "
        'Source: Smith and Topin, "Super-convergence", 2018.'
    ),
    "Optimiser": (
        "The rule that turns gradients into changes of the weights: SGD, momentum, Nesterov, "
        "Adam, AdamW or Muon."
    ),
    "Out-of-distribution detection": (
        "Deciding whether a picture is unlike the training pictures. The lab uses the distance of "
        "its features to those of the nearest training picture. Source: Sun et al., "
        '"Out-of-distribution detection with deep nearest neighbors", 2022.'
    ),
    "Over-fitting": (
        "The network fits the training pictures better and better, but not other pictures: the "
        "training loss falls while the validation loss rises."
    ),
    "Padding": (
        "Zeros that are added around the input, so that the window can also be placed at the "
        'edge. "Same" padding keeps height and width at stride 1.'
    ),
    "Paired seeds": (
        "Two designs trained with the same seed and therefore with the same order of the "
        "pictures. Comparing the differences of such pairs removes a part of the chance."
    ),
    "Parameter": (
        "A number that training adjusts: a weight, a bias, or the scale and shift of a norm layer."
    ),
    "Patience": (
        "The number of epochs without a better validation loss after which early stopping ends a "
        "run."
    ),
    "Peak learning rate": (
        "The highest learning rate of a schedule. The schedule decides how much of it is used at "
        "each step."
    ),
    "Percentage point": (
        "The unit of a difference of two percentages: from 98.0 % to 98.5 % is 0.5 points."
    ),
    "Pooled row": (
        "A row of the results table for several runs that differ only by their seed. It shows the "
        "mean over the seeds and their spread."
    ),
    "Pooling": (
        "Reducing a feature map by replacing each window by one number, its largest value or its "
        "mean. It has no parameters."
    ),
    "Precision": (
        "The number format of the calculations of a run: float32, or bfloat16 for convolutions "
        "and matrix products."
    ),
    "Prediction": "The network's answer for a picture: the class with the highest score.",
    "Preset": "A design, or a recipe, that the lab offers under a name.",
    "Pruning": (
        "Ending weak runs of a search early: a run is stopped when its validation accuracy after "
        "an epoch is below the median of the earlier runs at that epoch (median stopping rule). "
        'Source: Golovin et al., "Google Vizier", 2017.'
    ),
    "Queue": "The runs and jobs that wait until a worker is free, in order.",
    "Random search": (
        "Trying settings that are drawn at random. A search in the lab begins with some random "
        "trials."
    ),
    "Rank correlation": (
        "How similarly two lists order their entries: 1 is the same order, 0 no relation, -1 the "
        'opposite order. Source: Spearman, "The proof and measurement of association between two '
        'things", 1904.'
    ),
    "Receptive field": (
        "The square of pixels of the image that one value of a layer depends on, padding "
        'included. Source for the calculation: Araujo, Norris and Sim, "Computing receptive '
        'fields of convolutional neural networks", 2019.'
    ),
    "Recipe": (
        "All settings of a training except the network and the dataset: epochs, batch size, "
        "optimiser, learning rate, schedule and so on."
    ),
    "Reliability diagram": (
        "A chart of the accuracy of the answers with similar confidence against that confidence. "
        "With good calibration the points are on the diagonal."
    ),
    "ReLU": (
        "The activation function max(0, x): it keeps positive values and replaces negative ones "
        'by 0. Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann '
        'machines", 2010.'
    ),
    "Residual block": (
        "A block whose input is added to its output, through a skip connection, so that the block "
        "learns only the difference. This makes deep networks easier to train. Source: He et al., "
        '"Deep residual learning for image recognition", 2016.'
    ),
    "Restore best": (
        "Ending a run with the weights of the epoch with the lowest validation loss instead of "
        "the last weights."
    ),
    "Resume": (
        "Continuing a paused or interrupted run from its last checkpoint. The result is the same "
        "as without the interruption, as long as the machine and the execution mode are the same."
    ),
    "Root mean square": (
        "The square root of the mean of the squared values. It measures how large values are "
        "without regard to their sign."
    ),
    "Run": "One training of one design with one recipe, one dataset and one seed.",
    "Run archive": (
        "A file with one or more runs, their curves and, if wanted, their weights, made by Export "
        "and read by Import."
    ),
    "Run store": (
        "The database and the folder in which the lab keeps all runs. The app and the command "
        "line use the same one."
    ),
    "Running mean and variance": (
        "Averages that a batch norm collects during training and uses for evaluation."
    ),
    "Saliency": (
        "An attribution map: the gradient of the class's score with respect to each pixel. "
        'Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2014.'
    ),
    "Sanity check": (
        "A test of an attribution map. If the map is nearly the same for a network with random "
        'weights, it does not show what the network learned. Source: Adebayo et al., "Sanity '
        'checks for saliency maps", 2018.'
    ),
    "Saved design": (
        "A design that is stored under a name, to be opened again on the Build page or trained on "
        "the Train page."
    ),
    "Saved step": "A moment of a run whose weights are stored, as a snapshot or as a checkpoint.",
    "Schedule": (
        "The plan by which the learning rate changes during a run: constant, step decay, cosine, "
        "or one cycle."
    ),
    "Search": (
        "An experiment in which Optuna proposes settings: at random first, then close to the best "
        'ones so far (tree-structured Parzen estimator). Source: Bergstra et al., "Algorithms for '
        'hyper-parameter optimization", 2011.'
    ),
    "Seed": (
        "The number that fixes all random choices of a run: first weights, order of the pictures, "
        "augmentation. The same seed on the same machine in the same mode gives the same run."
    ),
    "SGD": (
        "Stochastic gradient descent: each step moves the weights against the gradient of one "
        'batch, multiplied by the learning rate. Source: Robbins and Monro, "A stochastic '
        'approximation method", 1951.'
    ),
    "Shape": (
        "The size of an array in each direction. A batch of images has the shape N x C x H x W: "
        "pictures, channels, height, width."
    ),
    "Shift": (
        "Augmentation that moves a picture by a random number of pixels; the uncovered edge is "
        "filled with zeros (black)."
    ),
    "Shortcut": (
        "The path of a skip connection. It has a 1x1 convolution if the number of channels or the "
        "size changes."
    ),
    "Sigmoid": (
        "The activation function 1 / (1 + exp(-x)), with values between 0 and 1. Its gradient is "
        "small for large positive and negative inputs."
    ),
    "Significant": (
        "A difference that chance alone would rarely produce. It can still be too small to matter."
    ),
    "Skip connection": "A path around one or more layers, whose input is added to their output.",
    "Snapshot": (
        "A saved step with the weights only. It can be inspected, and a new run can start from "
        "its weights, but training cannot continue exactly from it."
    ),
    "Softmax": (
        "The function that turns logits into probabilities: the exponential of each one, divided "
        "by the sum of all exponentials."
    ),
    "Split seed": "The number that fixes which pictures belong to the validation split.",
    "Spread over seeds": (
        "The standard deviation of a result over runs that differ only by their seed. It shows "
        "how much of a difference can be chance."
    ),
    "Stage": (
        "The blocks of a residual network between two downsamplings. Their feature maps have the "
        "same height and width."
    ),
    "Standard deviation": (
        "A measure of spread (sd): the square root of the mean squared distance from the mean. "
        "For a sample, the sum of squares is divided by the number of values minus one."
    ),
    "Stem": (
        "The first convolution of a network, before its first block. It turns the channels of the "
        "image into the channels of the blocks."
    ),
    "Step": "One update of the weights, from one batch.",
    "Step decay": (
        "A schedule that multiplies the learning rate by a fixed factor after every given number "
        "of epochs."
    ),
    "Stratified sample": "A sample in which each class has the same share as in the whole.",
    "Stride": (
        "The distance, in pixels, that the window moves from one output to the next. Stride 2 "
        "halves height and width."
    ),
    "Student's t interval": (
        "A confidence interval for a mean of few values. In the lab it is an interval for the "
        'mean over all seeds. Source: Student, "The probable error of a mean", 1908.'
    ),
    "Tag": (
        "A word that you give to a result, to find it again with the search of the results table."
    ),
    "Tanh": (
        "The hyperbolic tangent as an activation function, with values between -1 and 1. Its "
        "gradient is small for large positive and negative inputs."
    ),
    "Test split": (
        "Pictures that are used for neither training nor choosing. They are evaluated once, at "
        "the end of a run."
    ),
    "Thread": (
        "A part of a program that runs on one processor core at a time. More threads can make a "
        "large network faster and a small one slower."
    ),
    "Throughput": "The number of pictures that are processed per second.",
    "Training loss": (
        "The loss on the training pictures. With augmentation, dropout or label smoothing it can "
        "be higher than the validation loss."
    ),
    "Training split": "The pictures that the weights are learned from.",
    "Trial": "One combination of settings in an experiment, with its run.",
    "Two one-sided tests": (
        "The test for equality in a duel: one test shows that the difference is not above the "
        "equivalence margin, the other that it is not below minus the margin. Source: Schuirmann, "
        '"A comparison of the two one-sided tests procedure", 1987.'
    ),
    "Unit": "One output value of a linear layer, or one channel of a convolution.",
    "Validation sample": (
        "A fixed part of at most 500 pictures of the validation split, measured during the epochs "
        "for the live curve. Its accuracy differs a little from that of the whole split, which is "
        "measured after each epoch."
    ),
    "Validation split": (
        "Pictures that are taken from the training pictures and not trained on. They are used for "
        "choosing: between designs, between recipes, and in early stopping."
    ),
    "Variance": "The square of the standard deviation.",
    "Verdict": (
        "The result of a duel: A is better, B is better, both are equal within the margin, or "
        "undecided."
    ),
    "Warm-up": "The first part of a one-cycle schedule, in which the learning rate rises.",
    "Weight": (
        'A parameter that multiplies an input. The word "weights" often means all parameters and '
        "buffers of a network."
    ),
    "Weight decay": (
        "Making all weights a little smaller at each step, which keeps them from growing and can "
        "reduce over-fitting. In the lab it leaves out norm layers and biases unless you include "
        "them."
    ),
    "Width (of a network)": (
        "The number of channels of its convolutions, or of units of its hidden layers."
    ),
    "Wilson interval": (
        "A confidence interval for a share, such as an accuracy on 10,000 test pictures. It shows "
        "how far another test sample of the same size might differ; it does not include the "
        'spread over seeds. Source: Wilson, "Probable inference, the law of succession, and '
        'statistical inference", 1927.'
    ),
    "Worker": (
        "The separate process that trains runs. It continues when the browser or the page is "
        "closed."
    ),
}


def find_terms(query: str) -> list[str]:
    """Return the terms that contain all words of a query, in their name or definition.

    Upper and lower case count as equal. Terms with all words in their name come first.

    Example:
        >>> find_terms("weight decay")
        ['Weight decay', 'AdamW']
    """
    words = query.casefold().split()
    found = [
        term
        for term, definition in GLOSSARY.items()
        if all(word in f"{term} {definition}".casefold() for word in words)
    ]
    return sorted(found, key=lambda term: not all(word in term.casefold() for word in words))
