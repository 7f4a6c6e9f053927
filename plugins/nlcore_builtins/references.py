"""The papers of the components that come with nlcore, as BibTeX."""

ALPAYDIN_1998 = """
@misc{alpaydin1998optical,
  title        = {Optical Recognition of Handwritten Digits},
  author       = {Alpaydin, E. and Kaynak, C.},
  year         = {1998},
  howpublished = {UCI Machine Learning Repository},
  doi          = {10.24432/C50P49},
}
"""

CHENG_2021 = """
@inproceedings{cheng2021learning,
  title         = {Learning with Instance-Dependent Label Noise: A Sample Sieve Approach},
  author        = {Cheng, Hao and Zhu, Zhaowei and Li, Xingyu and Gong, Yifei and Sun, Xing and Liu, Yang},
  booktitle     = {International Conference on Learning Representations},
  year          = {2021},
  eprint        = {2010.02347},
  archivePrefix = {arXiv},
}
"""

ENGLESSON_AZIZPOUR_2021 = """
@inproceedings{englesson2021generalized,
  title         = {Generalized Jensen-Shannon Divergence Loss for Learning with Noisy Labels},
  author        = {Englesson, Erik and Azizpour, Hossein},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {34},
  year          = {2021},
  eprint        = {2105.04522},
  archivePrefix = {arXiv},
}
"""

FENG_2020 = """
@inproceedings{feng2020can,
  title         = {Can Cross Entropy Loss Be Robust to Label Noise?},
  author        = {Feng, Lei and Shu, Senlin and Lin, Zhuoyi and Lv, Fengmao and Li, Li and An, Bo},
  booktitle     = {International Joint Conference on Artificial Intelligence},
  pages         = {2206--2212},
  doi           = {10.24963/ijcai.2020/305},
  year          = {2020},
}
"""

GHOSH_2017 = """
@inproceedings{ghosh2017robust,
  title         = {Robust Loss Functions under Label Noise for Deep Neural Networks},
  author        = {Ghosh, Aritra and Kumar, Himanshu and Sastry, P. S.},
  booktitle     = {AAAI Conference on Artificial Intelligence},
  year          = {2017},
  eprint        = {1712.09482},
  archivePrefix = {arXiv},
}
"""

HAN_2018 = """
@inproceedings{han2018coteaching,
  title         = {Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels},
  author        = {Han, Bo and Yao, Quanming and Yu, Xingrui and Niu, Gang and Xu, Miao and Hu, Weihua and
                   Tsang, Ivor and Sugiyama, Masashi},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {31},
  year          = {2018},
  eprint        = {1804.06872},
  archivePrefix = {arXiv},
}
"""

HE_2016 = """
@inproceedings{he2016deep,
  title         = {Deep Residual Learning for Image Recognition},
  author        = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle     = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages         = {770--778},
  year          = {2016},
  eprint        = {1512.03385},
  archivePrefix = {arXiv},
}
"""

HE_2016_IDENTITY = """
@inproceedings{he2016identity,
  title         = {Identity Mappings in Deep Residual Networks},
  author        = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle     = {European Conference on Computer Vision},
  pages         = {630--645},
  year          = {2016},
  eprint        = {1603.05027},
  archivePrefix = {arXiv},
}
"""

JORDAN_2024 = """
@misc{jordan2024cifar,
  title         = {94\\% on {CIFAR-10} in 3.29 Seconds on a Single {GPU}},
  author        = {Jordan, Keller},
  year          = {2024},
  eprint        = {2404.00498},
  archivePrefix = {arXiv},
}
"""

KRIZHEVSKY_2009 = """
@techreport{krizhevsky2009learning,
  title       = {Learning Multiple Layers of Features from Tiny Images},
  author      = {Krizhevsky, Alex},
  institution = {University of Toronto},
  year        = {2009},
  url         = {https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf},
}
"""

LECUN_1998 = """
@article{lecun1998gradient,
  title   = {Gradient-Based Learning Applied to Document Recognition},
  author  = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal = {Proceedings of the IEEE},
  volume  = {86},
  number  = {11},
  pages   = {2278--2324},
  year    = {1998},
  doi     = {10.1109/5.726791},
}
"""

LIN_2017 = """
@inproceedings{lin2017focal,
  title         = {Focal Loss for Dense Object Detection},
  author        = {Lin, Tsung-Yi and Goyal, Priya and Girshick, Ross and He, Kaiming and Doll{\\'a}r, Piotr},
  booktitle     = {IEEE International Conference on Computer Vision},
  year          = {2017},
  eprint        = {1708.02002},
  archivePrefix = {arXiv},
}
"""

LIU_2020 = """
@inproceedings{liu2020early,
  title         = {Early-Learning Regularization Prevents Memorization of Noisy Labels},
  author        = {Liu, Sheng and Niles-Weed, Jonathan and Razavian, Narges and Fernandez-Granda, Carlos},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {33},
  year          = {2020},
  eprint        = {2007.00151},
  archivePrefix = {arXiv},
}
"""

LIU_2022 = """
@inproceedings{liu2022robust,
  title         = {Robust Training under Label Noise by Over-parameterization},
  author        = {Liu, Sheng and Zhu, Zhihui and Qu, Qing and You, Chong},
  booktitle     = {International Conference on Machine Learning},
  year          = {2022},
  eprint        = {2202.14026},
  archivePrefix = {arXiv},
}
"""

LIU_GUO_2020 = """
@inproceedings{liu2020peer,
  title         = {Peer Loss Functions: Learning from Noisy Labels without Knowing Noise Rates},
  author        = {Liu, Yang and Guo, Hongyi},
  booktitle     = {International Conference on Machine Learning},
  year          = {2020},
  eprint        = {1910.03231},
  archivePrefix = {arXiv},
}
"""

LU_HE_2022 = """
@inproceedings{lu2022selc,
  title         = {{SELC}: Self-Ensemble Label Correction Improves Learning with Noisy Labels},
  author        = {Lu, Yangdi and He, Wenbo},
  booktitle     = {International Joint Conference on Artificial Intelligence},
  year          = {2022},
  eprint        = {2205.01156},
  archivePrefix = {arXiv},
}
"""

MA_2020 = """
@inproceedings{ma2020normalized,
  title         = {Normalized Loss Functions for Deep Learning with Noisy Labels},
  author        = {Ma, Xingjun and Huang, Hanxun and Wang, Yisen and Romano, Simone and Erfani, Sarah and
                   Bailey, James},
  booktitle     = {International Conference on Machine Learning},
  year          = {2020},
  eprint        = {2006.13554},
  archivePrefix = {arXiv},
}
"""

PATRINI_2017 = """
@inproceedings{patrini2017making,
  title         = {Making Deep Neural Networks Robust to Label Noise: A Loss Correction Approach},
  author        = {Patrini, Giorgio and Rozza, Alessandro and Menon, Aditya Krishna and Nock, Richard and Qu, Lizhen},
  booktitle     = {IEEE Conference on Computer Vision and Pattern Recognition},
  year          = {2017},
  eprint        = {1609.03683},
  archivePrefix = {arXiv},
}
"""

REED_2015 = """
@inproceedings{reed2015training,
  title         = {Training Deep Neural Networks on Noisy Labels with Bootstrapping},
  author        = {Reed, Scott E. and Lee, Honglak and Anguelov, Dragomir and Szegedy, Christian and Erhan, Dumitru
                   and Rabinovich, Andrew},
  booktitle     = {International Conference on Learning Representations, Workshop Track},
  year          = {2015},
  eprint        = {1412.6596},
  archivePrefix = {arXiv},
}
"""

TAN_LE_2021 = """
@inproceedings{tan2021efficientnetv2,
  title         = {{EfficientNetV2}: Smaller Models and Faster Training},
  author        = {Tan, Mingxing and Le, Quoc V.},
  booktitle     = {International Conference on Machine Learning},
  year          = {2021},
  eprint        = {2104.00298},
  archivePrefix = {arXiv},
}
"""

TORCHVISION_2016 = """
@misc{torchvision2016,
  title        = {TorchVision: PyTorch's Computer Vision library},
  author       = {{TorchVision maintainers and contributors}},
  year         = {2016},
  howpublished = {GitHub repository},
  url          = {https://github.com/pytorch/vision},
}
"""

VAN_ROOYEN_2015 = """
@inproceedings{vanrooyen2015learning,
  title         = {Learning with Symmetric Label Noise: The Importance of Being Unhinged},
  author        = {van Rooyen, Brendan and Menon, Aditya Krishna and Williamson, Robert C.},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {28},
  year          = {2015},
  eprint        = {1505.07634},
  archivePrefix = {arXiv},
}
"""

WANG_2018 = """
@inproceedings{wang2018iterative,
  title         = {Iterative Learning with Open-set Noisy Labels},
  author        = {Wang, Yisen and Liu, Weiyang and Ma, Xingjun and Bailey, James and Zha, Hongyuan and Song, Le and
                   Xia, Shu-Tao},
  booktitle     = {IEEE Conference on Computer Vision and Pattern Recognition},
  year          = {2018},
  eprint        = {1804.00092},
  archivePrefix = {arXiv},
}
"""

WANG_2019 = """
@inproceedings{wang2019symmetric,
  title         = {Symmetric Cross Entropy for Robust Learning with Noisy Labels},
  author        = {Wang, Yisen and Ma, Xingjun and Chen, Zaiyi and Luo, Yuan and Yi, Jinfeng and Bailey, James},
  booktitle     = {IEEE/CVF International Conference on Computer Vision},
  year          = {2019},
  eprint        = {1908.06112},
  archivePrefix = {arXiv},
}
"""

WEI_2022 = """
@inproceedings{wei2022learning,
  title         = {Learning with Noisy Labels Revisited: A Study Using Real-World Human Annotations},
  author        = {Wei, Jiaheng and Zhu, Zhaowei and Cheng, Hao and Liu, Tongliang and Niu, Gang and Liu, Yang},
  booktitle     = {International Conference on Learning Representations},
  year          = {2022},
  eprint        = {2110.12088},
  archivePrefix = {arXiv},
}
"""

WEI_2022_SMOOTHING = """
@inproceedings{wei2022smooth,
  title         = {To Smooth or Not? When Label Smoothing Meets Noisy Labels},
  author        = {Wei, Jiaheng and Liu, Hangyu and Liu, Tongliang and Niu, Gang and Sugiyama, Masashi and Liu, Yang},
  booktitle     = {International Conference on Machine Learning},
  year          = {2022},
  eprint        = {2106.04149},
  archivePrefix = {arXiv},
}
"""

XIAO_2017 = """
@misc{xiao2017fashion,
  title         = {Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms},
  author        = {Xiao, Han and Rasul, Kashif and Vollgraf, Roland},
  year          = {2017},
  eprint        = {1708.07747},
  archivePrefix = {arXiv},
}
"""

XIA_2020 = """
@inproceedings{xia2020part,
  title         = {Part-dependent Label Noise: Towards Instance-dependent Label Noise},
  author        = {Xia, Xiaobo and Liu, Tongliang and Han, Bo and Wang, Nannan and Gong, Mingming and Liu, Haifeng and
                   Niu, Gang and Tao, Dacheng and Sugiyama, Masashi},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {33},
  year          = {2020},
  eprint        = {2006.07836},
  archivePrefix = {arXiv},
}
"""

YE_2023 = """
@inproceedings{ye2023active,
  title     = {Active Negative Loss Functions for Learning with Noisy Labels},
  author    = {Ye, Xichen and Li, Xiaoqiang and Dai, Songmin and Liu, Tong and Sun, Yan and Tong, Weiqin},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {36},
  year      = {2023},
  url       = {https://papers.neurips.cc/paper_files/paper/2023/hash/15f4cefb0e143c7ad9d40e879b0a9d0c-Abstract-Conference.html},
}
"""

ZAGORUYKO_2016 = """
@inproceedings{zagoruyko2016wide,
  title         = {Wide Residual Networks},
  author        = {Zagoruyko, Sergey and Komodakis, Nikos},
  booktitle     = {British Machine Vision Conference},
  year          = {2016},
  eprint        = {1605.07146},
  archivePrefix = {arXiv},
}
"""

ZHANG_2018 = """
@inproceedings{zhang2018mixup,
  title         = {mixup: Beyond Empirical Risk Minimization},
  author        = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle     = {International Conference on Learning Representations},
  year          = {2018},
  eprint        = {1710.09412},
  archivePrefix = {arXiv},
}
"""

ZHANG_SABUNCU_2018 = """
@inproceedings{zhang2018generalized,
  title         = {Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels},
  author        = {Zhang, Zhilu and Sabuncu, Mert R.},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {31},
  year          = {2018},
  eprint        = {1805.07836},
  archivePrefix = {arXiv},
}
"""

ZHOU_2021 = """
@inproceedings{zhou2021asymmetric,
  title         = {Asymmetric Loss Functions for Learning with Noisy Labels},
  author        = {Zhou, Xiong and Liu, Xianming and Jiang, Junjun and Gao, Xin and Ji, Xiangyang},
  booktitle     = {International Conference on Machine Learning},
  year          = {2021},
  eprint        = {2106.03110},
  archivePrefix = {arXiv},
}
"""

FORET_2021 = """
@inproceedings{foret2021sharpness,
  title         = {Sharpness-Aware Minimization for Efficiently Improving Generalization},
  author        = {Foret, Pierre and Kleiner, Ariel and Mobahi, Hossein and Neyshabur, Behnam},
  booktitle     = {International Conference on Learning Representations},
  year          = {2021},
  eprint        = {2010.01412},
  archivePrefix = {arXiv},
}
"""

KINGMA_BA_2015 = """
@inproceedings{kingma2015adam,
  title         = {Adam: A Method for Stochastic Optimization},
  author        = {Kingma, Diederik P. and Ba, Jimmy},
  booktitle     = {International Conference on Learning Representations},
  year          = {2015},
  eprint        = {1412.6980},
  archivePrefix = {arXiv},
}
"""

LOSHCHILOV_HUTTER_2019 = """
@inproceedings{loshchilov2019decoupled,
  title         = {Decoupled Weight Decay Regularization},
  author        = {Loshchilov, Ilya and Hutter, Frank},
  booktitle     = {International Conference on Learning Representations},
  year          = {2019},
  eprint        = {1711.05101},
  archivePrefix = {arXiv},
}
"""

CHEN_2020 = """
@inproceedings{chen2020simple,
  title         = {A Simple Framework for Contrastive Learning of Visual Representations},
  author        = {Chen, Ting and Kornblith, Simon and Norouzi, Mohammad and Hinton, Geoffrey},
  booktitle     = {International Conference on Machine Learning},
  year          = {2020},
  eprint        = {2002.05709},
  archivePrefix = {arXiv},
}
"""

CUBUK_2019 = """
@inproceedings{cubuk2019autoaugment,
  title         = {AutoAugment: Learning Augmentation Strategies from Data},
  author        = {Cubuk, Ekin D. and Zoph, Barret and Mané, Dandelion and Vasudevan, Vijay and Le, Quoc V.},
  booktitle     = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year          = {2019},
  eprint        = {1805.09501},
  archivePrefix = {arXiv},
}
"""

CUBUK_2020 = """
@inproceedings{cubuk2020randaugment,
  title         = {RandAugment: Practical Automated Data Augmentation with a Reduced Search Space},
  author        = {Cubuk, Ekin D. and Zoph, Barret and Shlens, Jonathon and Le, Quoc V.},
  booktitle     = {Advances in Neural Information Processing Systems},
  volume        = {33},
  year          = {2020},
  eprint        = {1909.13719},
  archivePrefix = {arXiv},
}
"""

DEVRIES_TAYLOR_2017 = """
@misc{devries2017improved,
  title         = {Improved Regularization of Convolutional Neural Networks with Cutout},
  author        = {DeVries, Terrance and Taylor, Graham W.},
  year          = {2017},
  eprint        = {1708.04552},
  archivePrefix = {arXiv},
}
"""

MULLER_HUTTER_2021 = """
@inproceedings{muller2021trivialaugment,
  title         = {TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation},
  author        = {Müller, Samuel G. and Hutter, Frank},
  booktitle     = {IEEE/CVF International Conference on Computer Vision},
  year          = {2021},
  eprint        = {2103.10158},
  archivePrefix = {arXiv},
}
"""

SZEGEDY_2015 = """
@inproceedings{szegedy2015going,
  title         = {Going Deeper with Convolutions},
  author        = {Szegedy, Christian and Liu, Wei and Jia, Yangqing and Sermanet, Pierre and Reed, Scott and
                   Anguelov, Dragomir and Erhan, Dumitru and Vanhoucke, Vincent and Rabinovich, Andrew},
  booktitle     = {IEEE Conference on Computer Vision and Pattern Recognition},
  year          = {2015},
  eprint        = {1409.4842},
  archivePrefix = {arXiv},
}
"""

JORDAN_2024_MUON = """
@misc{jordan2024muon,
  title  = {Muon: An Optimizer for Hidden Layers in Neural Networks},
  author = {Jordan, Keller and Jin, Yuchen and Boza, Vlado and You, Jiacheng and Cesista, Franz and Newhouse, Laker and
            Bernstein, Jeremy},
  year   = {2024},
  url    = {https://kellerjordan.github.io/posts/muon/},
}
"""
