"""What formulas are called in other libraries, and what stands for them here.

Names are in small letters without underscores, so that `glorot_uniform` and `GlorotUniform` are one.
"""

from collections.abc import Iterable

HERE = {
    "Quadratic() as a cost, or RMSE() as a metric": "mse meansquarederror",
    "Quadratic()": "mseloss l2loss squarederror squaredloss halfmse",
    "CrossEntropy(), behind Sigmoid()": "bce bceloss bcewithlogitsloss binarycrossentropy logisticloss",
    "CategoricalCrossEntropy(), behind Softmax()": "cce crossentropyloss sparsecategoricalcrossentropy nll nllloss "
    "softmaxcrossentropy softmaxloss negativeloglikelihood",
    "AbsoluteError() as a cost, or MAE() as a metric": "meanabsoluteerror",
    "AbsoluteError()": "l1loss maeloss absolutedifference",
    "Huber()": "huberloss smoothl1 smoothl1loss",
    "LogCosh()": "logcoshloss logcosherror",
    "Quantile(0.9), or of several Quantile((0.1, 0.5, 0.9))": "pinball pinballloss quantileloss meanpinballloss",
    "SquaredLog()": "msle rmsle meansquaredlogarithmicerror meansquaredlogerror",
    "KullbackLeibler(), behind Softmax()": "kldiv kldivergence kldivloss kullbackleiblerdivergence relativeentropy",
    "GeneralizedKL()": "idivergence meanpoissondeviance",
    "ItakuraSaito()": "itakurasaitodivergence meangammadeviance",
    "Poisson(), behind Exp()": "poissonloss poissonnll poissonnllloss",
    "Gamma(), behind Exp()": "gammaloss gammanll",
    "Tweedie(1.5), behind Exp()": "tweedieloss meantweediedeviance",
    "GaussianNLL(), behind Dense(2)": "gaussiannllloss heteroscedastic",
    "Hinge(), behind Dense(1)": "hingeloss svm",
    "CategoricalHinge()": "multimarginloss multiclasshinge crammersinger",
    "Focal(), behind Sigmoid()": "focalloss binaryfocalcrossentropy sigmoidfocalloss",
    "CategoricalFocal(), behind Softmax()": "categoricalfocalcrossentropy",
    "CosineDistance()": "cosinesimilarity cosineembeddingloss cosineloss",
    "Dice(), behind Sigmoid()": "diceloss softdice dicecoefficient",
    "SparsemaxCost(), behind Sparsemax()": "sparsemaxloss",
    "smoothing of CategoricalCrossEntropy()": "labelsmoothing",
    "RMSE()": "rootmeansquarederror",
    "Accuracy()": "acc categoricalaccuracy sparsecategoricalaccuracy binaryaccuracy",
    "F1()": "f1score fscore f1macro",
    "R2()": "r2score rsquared",
    "TopK()": "topkaccuracy topkcategoricalaccuracy sparsetopkcategoricalaccuracy",
    "ConfusionMatrix()": "confusion",
    "ROCAUC()": "auc auroc roc rocaucscore",
    "AveragePrecision()": "auprc prauc averageprecisionscore",
    "BrierScore()": "brier brierloss brierscoreloss",
    "CalibrationError()": "ece expectedcalibrationerror",
    "BalancedAccuracy()": "balancedaccuracyscore",
    "Matthews()": "mcc matthewscorrcoef matthewscorrelation",
    "Kappa()": "cohenkappa cohenkappascore cohenskappa",
    'Kappa("quadratic")': "quadraticweightedkappa qwk",
    "MAPE()": "meanabsolutepercentageerror",
    "MedianAbsoluteError()": "medae",
    "Dense(units), or Identity() as an activation": "linear",
    "Dense(units)": "fc fullyconnected lineardense denselayer",
    "a chain of layers: Dense(64) >> ReLU() >> Dense(10)": "sequential mlp",
    "a sum of layers: Identity() + (Dense(64) >> ReLU())": "residual residualblock skip skipconnection shortcut resnet",
    "a product of layers: Dense(64) * (Dense(64) >> Sigmoid())": "glu gatedlinearunit gate gated highway",
    "Identity() * (GlobalAveragePool2D() >> Dense(units) >> Sigmoid())": "squeezeexcite squeezeandexcite seblock",
    "layers beside each other: Identity() | Dense(64)": "concat cat concatenation inception denseblock branches",
    "Frozen(layer)": "freeze fixed nontrainable untrainable trainable requiresgrad stopgradient",
    "Repeat(block, times)": "repeated stack stacked",
    "Conv1D(filters, kernel_size)": "convolution1d",
    "Conv2D(filters, kernel_size)": "conv convolution convolution2d",
    "DepthwiseConv2D(kernel_size)": "depthwiseconv depthwise",
    "DepthwiseConv2D(kernel_size) >> Conv2D(filters, 1)": "separableconv2d separableconv separableconvolution",
    "ConvTranspose1D(filters, kernel_size)": "conv1dtranspose deconv1d",
    "ConvTranspose2D(filters, kernel_size)": "conv2dtranspose deconv deconv2d deconvolution transposedconvolution",
    "Conv3D(filters, kernel_size)": "convolution3d",
    "MaxPool3D()": "maxpooling3d",
    "AveragePool3D()": "avgpool3d averagepooling3d",
    "Upsample1D()": "upsampling1d",
    "Upsample2D()": "upsample upsampling2d upsamplingnearest2d upsamplingbilinear2d resize",
    "ZeroPad1D()": "zeropadding1d",
    "ZeroPad2D()": "zeropadding2d zeropad",
    "Crop1D()": "cropping1d",
    "Crop2D()": "cropping2d cropping",
    "Permute((2, 1))": "transpose permutedimensions",
    "SpatialDropout()": "spatialdropout1d spatialdropout2d spatialdropout3d dropout1d dropout2d dropout3d "
    "featuredropout channeldropout",
    "StochasticDepth()": "droppath",
    "Flip()": "randomflip randomhorizontalflip horizontalflip",
    "Shift()": "randomtranslation randomtranslate randomcrop",
    "AlphaDropout()": "featurealphadropout",
    "WeightNorm(layer)": "weightnormalization",
    "SpectralNorm(layer)": "spectralnormalization",
    "Affine()": "rescaling scaleshift scalelayer elementwiseaffine",
    "AttentionPool(units)": "attentionpooling attentivepooling",
    "PeepholeLSTM(units)": "peephole lstmpeephole",
    "LayerNormLSTM(units)": "layernormlstmcell layernormbasiclstmcell",
    "MaxPool1D()": "maxpooling1d",
    "MaxPool2D()": "maxpool maxpooling maxpooling2d",
    "AveragePool1D()": "avgpool1d averagepooling1d",
    "AveragePool2D()": "avgpool avgpool2d averagepool averagepooling averagepooling2d",
    "GlobalMaxPool1D()": "globalmaxpooling1d adaptivemaxpool1d",
    "GlobalMaxPool2D()": "globalmaxpooling2d globalmaxpool adaptivemaxpool2d",
    "GlobalAveragePool1D()": "globalavgpool1d globalaveragepooling1d adaptiveavgpool1d",
    "GlobalAveragePool2D()": "globalavgpool2d globalavgpool globalaveragepooling2d globalaveragepool adaptiveavgpool2d",
    "RNN(units)": "simplernn elman",
    "LSTM(units)": "longshorttermmemory",
    "Bidirectional(LSTM(units))": "bilstm bidirectionallstm",
    "Bidirectional(GRU(units))": "bigru bidirectionalgru",
    "Embedding(vocabulary, units)": "embed",
    "SelfAttention(heads)": "attention multiheadattention mha",
    "rotary of SelfAttention(heads)": "rope rotary rotaryembedding rotarypositions",
    "SinusoidalPositions()": "positionalencoding sinepositionencoding sinusoidalpositionalencoding",
    "LearnedPositions(length)": "positionembedding positionalembedding learnedpositionalembedding",
    "Identity() + (LayerNorm() >> SelfAttention(heads)), then the same of Dense layers": "transformer transformerblock "
    "transformerencoder transformerencoderlayer",
    "BatchNorm()": "batchnorm1d batchnorm2d batchnormalization bn",
    "LayerNorm()": "layernormalization ln",
    "RMSNorm()": "rmsnormalization rootmeansquarenormalization",
    "GroupNorm(groups)": "groupnormalization",
    "InstanceNorm()": "instancenorm1d instancenorm2d instancenormalization",
    "a product of layers: Dense(64) * (Dense(64) >> GELU())": "geglu",
    "a product of layers: Dense(64) * (Dense(64) >> SiLU())": "swiglu",
    "a product of layers: Dense(64) * (Dense(64) >> ReLU())": "reglu",
    "Sigmoid()": "logistic expit",
    "SiLU()": "swish",
    "GELU()": "gelunew gelutanh",
    "HardSwish()": "hardsilu hswish",
    "SquaredReLU()": "relusquared relu2",
    "RReLU()": "randomizedleakyrelu randomisedleakyrelu",
    "CReLU()": "concatenatedrelu",
    "Dense(pieces * units) >> Maxout(pieces)": "maxoutdense",
    "BinaryStep()": "heaviside heavisidestep unitstep perceptron",
    "ArcTan()": "atan arctangent",
    "Sinusoid()": "sin sine siren",
    "ISRU()": "inversesquarerootunit",
    "SoftClipping()": "softclip",
    "HardTanh()": "clippedidentity",
    "SoftShrink()": "softthreshold softthresholding",
    "HardShrink()": "hardthreshold hardthresholding",
    "Threshold()": "thresholdedrelu trec",
    "ReLU()": "rectifier relulayer",
    "LeakyReLU()": "lrelu",
    "GradientDescent(), or Momentum() and Nesterov()": "sgd",
    "Nesterov()": "nag nesterovmomentum",
    "Averaged(Adam())": "averagedmodel swa ema stochasticweightaveraging polyakaveraging asgd emaweights",
    "ScheduleFreeDescent()": "schedulefree schedulefreesgd sgdschedulefree",
    "ScheduleFreeAdamW()": "adamwschedulefree schedulefreeadam",
    "SAM(Adam())": "sharpnessaware sharpnessawareminimization",
    "ClipNorm(1.0) >> Adam()": "clipgradnorm clipbyglobalnorm clipgradients gradientclipping",
    "ClipValue(1.0) >> Adam()": "clipgradvalue clipbyvalue",
    "ClipAdaptive(0.01) >> Momentum()": "agc adaptivegradclip adaptivegradientclipping",
    "QHMomentum()": "qhm quasihyperbolicmomentum",
    "AggMo()": "aggregatedmomentum",
    "Rprop()": "resilientpropagation irprop irpropminus",
    "L2(strength)": "ridge tikhonov",
    "AdamW(weight_decay=0.01), or L2(strength)": "weightdecay decoupledweightdecay",
    "L1(strength)": "lasso",
    "L1(strength) + L2(strength)": "elasticnet l1l2",
    "L1(strength) + GroupLasso(strength)": "sparsegrouplasso",
    "GroupLasso(strength)": "l21 groupl1 groupsparsity",
    "Orthogonality(strength)": "orthogonalregularizer orthogonalregularization softorthogonality",
    "TotalVariation(strength)": "tv tvloss fusedlasso",
    "NonNegative()": "nonneg nonnegativity keepparamsnonnegative",
    "MaxNorm(max_norm)": "renorm maxnormconstraint l2ball",
    "StepDecay": "steplr multisteplr piecewiseconstantdecay",
    "ExponentialDecay": "exponentiallr",
    "InverseTimeDecay": "inversetime invscaling",
    "LinearDecay": "linearschedule linearannealing",
    "PolynomialDecay": "polynomiallr polylr polynomialschedule",
    "CosineRestarts": "cosineannealingwarmrestarts cosinedecayrestarts sgdr sgdrschedule warmrestarts",
    "NoamDecay": "noam noamlr inversesqrt inversesquareroot",
    "CosineDecay": "cosine cosineannealing cosineannealinglr cosinelr",
    "OneCycle": "onecyclelr onecyclepolicy",
    "ReduceOnPlateau": "reducelronplateau reducelr plateau",
    "Warmup()": "linearwarmup linearlr",
    "GlorotUniform()": "xavier xavieruniform glorot",
    "GlorotNormal()": "xaviernormal",
    "HeUniform()": "kaiminguniform",
    "HeNormal()": "kaiming kaimingnormal he msra",
    "LeCunUniform()": "lecun",
    "Normal()": "randomnormal",
    "TruncatedNormal()": "truncnormal",
    "Eye()": "identityinitializer",
    "Dirac()": "diracdelta deltaorthogonal",
    "Uniform()": "randomuniform",
    "Zeros()": "zero",
    "Constant(1.0)": "ones",
    "EarlyStopping()": "earlystop",
}
"""Our notation, and the names that it has elsewhere."""

YET = {
    "ELU() is near": "squareplus",
    "Tanh() is near": "lecuntanh",
    "Softmax() is near": "gumbelsoftmax",
    "MaxNorm(max_norm) is near": "minmaxnorm",
    "": "lambda",
}
"""What is near, and the names of what is not there yet."""

FIELDS = {
    "a regularizer of all kernels, such as L2(0.001) or MaxNorm(2)": "kernelregularizer kernelconstraint regularizer "
    "constraint recurrentregularizer recurrentconstraint depthwiseregularizer depthwiseconstraint "
    "embeddingsregularizer embeddingsconstraint",
    "an activation of its own behind a layer: Dense(64) >> ReLU()": "activation act activationfn nonlinearity",
    "GradientDescent(), Momentum() or Nesterov()": "nesterov",
    "AMSGrad()": "amsgrad",
    "learning_rate": "lr stepsize",
    "units": "outfeatures dim",
    "filters": "outchannels",
    "rate": "p prob probability",
    "vocabulary": "inputdim numembeddings",
}
"""Our fields, or what there is in their place, and the names that fields have elsewhere."""

NAMESAKES = {
    "Layer": {"Exp()": "Exponential"},
    "Cost": {
        "AbsoluteError()": "MAE",
        "Quadratic()": "RMSE BrierScore",
        "CrossEntropy(), or CategoricalCrossEntropy()": "LogLoss",
        "Exponential()": "Exp",
    },
    "Metric": {
        "MAE()": "AbsoluteError",
        "RMSE()": "Quadratic",
        "LogLoss()": "CrossEntropy CategoricalCrossEntropy",
    },
}
"""For each family what stands there for formulas of other families, as the classes of both are called."""

_HERE, _YET, _FIELDS = (
    {name: answer for answer, names in each.items() for name in names.split()} for each in (HERE, YET, FIELDS)
)


def hint(name: str) -> str:
    """What stands here for a name of another library, as a sentence with a blank before it; empty for any other name.

    >>> hint("MSELoss"), hint("lambda")
    (' Here that is Quadratic().', ' It is not there yet.')
    """
    key = _key(name)
    if key in _HERE:
        return f" Here that is {_HERE[key]}."
    if key in _YET:
        return f" It is not there yet{_YET[key] and f'; {_YET[key]}'}."
    return ""


def hint_of_field(name: str, fields: Iterable[str]) -> str:
    """The same for a field of another library, where the formula that it is said of has these fields.

    >>> hint_of_field("kernel_constraint", ["units", "bias"])
    ' Here that is a regularizer of all kernels, such as L2(0.001) or MaxNorm(2).'
    >>> hint_of_field("lr", ["learning_rate"]), hint_of_field("lr", ["units"])
    (' Here that is learning_rate.', '')
    """
    here = _FIELDS.get(_key(name), "")
    return f" Here that is {here}." if here in fields or (here and not here.isidentifier()) else ""


def namesake(name: str, families: Iterable[str]) -> str:
    """What stands in families, by their classes, for a formula of another one, as a sentence; empty for any other.

    >>> namesake("Exponential", ["Activation", "Layer"])
    ' Of the family Layer there is Exp().'
    """
    found = [
        f" Of the family {family} there is {notation}."
        for family in families
        for notation, names in NAMESAKES.get(family, {}).items()
        if name in names.split()
    ]
    return "".join(found)


def names_of(name: str) -> str:
    """What a formula of ours is called in other libraries, as words.

    >>> names_of("Nesterov")
    'nag nesterovmomentum'
    """
    return " ".join(names for notation, names in HERE.items() if notation.partition("(")[0] == name)


def _key(name: str) -> str:
    return name.lower().replace("_", "")
