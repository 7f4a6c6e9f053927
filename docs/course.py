# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning with noisy labels · 노이즈가 있는 레이블로 학습하기
#
# Half of the labels in this notebook are redrawn at random. You write the noise, three methods that are meant to
# stand it, and find out what a network makes of wrong labels. With the handwritten digits all of it takes a few
# minutes on a laptop.
#
# 이 노트북에서는 레이블의 절반을 무작위로 다시 뽑습니다. 레이블 노이즈와, 노이즈에 강건하도록 고안된 세 가지 방법을
# 직접 구현하고, 신경망이 잘못된 레이블을 어떻게 학습하는지 살펴봅니다. 손글씨 숫자 데이터로는 노트북 컴퓨터에서도 몇
# 분이면 끝까지 실행할 수 있습니다.
#
# Two commands start it in a fresh environment, in a copy of the repository:
#
# 내려받은 저장소의 폴더에서 새 가상 환경을 만들고, 다음 두 명령으로 시작합니다.
#
# ```console
# $ pip install . jupyterlab pandas
# $ jupyter lab docs/course.ipynb
# ```

# %% [markdown]
# **The setting.** With `FULL = False` a small ResNet-18 learns 1,442 digits. They are shown as they are, without
# augmentation or weight decay, so that it *can* learn every label by heart. `FULL = True` is the course's own
# setting: 20,000 images of CIFAR-10, a ResNet-18 of width 64, 20 epochs of SGD at 0.1. On a CPU a run of it takes
# hours, so use a GPU. CIFAR-10 (170 MB) is downloaded once.
#
# **실험 설정.** `FULL = False`이면 작은 ResNet-18이 손글씨 숫자 1,442장을 학습합니다. 데이터 증강과 가중치 감쇠를
# 쓰지 않으므로 신경망이 모든 레이블을 통째로 *외울 수 있습니다*. `FULL = True`는 강의의 원래 설정입니다. CIFAR-10
# 이미지 20,000장, 너비 64의 ResNet-18, 학습률 0.1의 SGD로 20 에포크를 학습합니다. CPU로는 한 번 실행하는 데 몇 시간이
# 걸리므로 GPU를 사용하십시오. CIFAR-10(170 MB)은 처음 한 번만 내려받습니다.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import nlcore

FULL = False

if FULL:
    setting = {"dataset": "cifar10"}
else:
    setting = {
        "dataset": "digits",
        "augmentation": "none",
        "weight_decay": 0.0,
        "epochs": 30,
        "lr_schedule": "cosine",
    }
setting |= {"noise": "symmetric", "noise.rate": 0.5}

# %% [markdown]
# ## 1. Look at the data · 데이터 살펴보기
#
# Beneath each image stands its *given* label, the one that training sees. Where it is wrong, the image is framed and
# the true label stands there as well. In a terminal the same sheet is `nl samples --dataset digits`.
#
# 각 이미지 아래에는 *주어진* 레이블, 곧 학습에 쓰이는 레이블이 적혀 있습니다. 레이블이 틀린 이미지에는 테두리를
# 두르고 참 레이블도 함께 적었습니다. 터미널에서는 `nl samples --dataset digits` 명령으로 같은 그림을 얻습니다.

# %%
nlcore.samples(**setting)

# %% [markdown]
# **Question.** Half of the labels were redrawn. Why are only about 45 % of them wrong?
#
# **질문.** 레이블의 절반을 다시 뽑았는데, 왜 틀린 레이블은 45% 정도밖에 되지 않습니까?

# %% [markdown]
# ## 2. Write symmetric noise · 대칭 노이즈 구현하기
#
# Choose `int(rate * N)` of the N labels at random, and redraw each of them uniformly from all K classes. Its own
# class may come up again. Return a new array; the labels you were given must stay as they are.
#
# N개의 레이블 가운데 `int(rate * N)`개를 무작위로 고른 다음, 고른 레이블을 K개 클래스 전체에서 균등하게 다시
# 뽑으십시오. 원래 클래스가 다시 뽑혀도 됩니다. 입력으로 받은 배열은 바꾸지 말고, 새 배열을 반환해야 합니다.


# %%
def symmetric_noise(labels, num_classes, rate, rng):
    """
    Return noisy labels, int64 (N,).

    Args:
        labels: int64 (N,), of classes 0..K-1.
        num_classes: K.
        rate: the fraction of the labels that is redrawn, 0..1.
        rng: a numpy.random.Generator.
    """
    ### BEGIN SOLUTION
    noisy = labels.copy()
    chosen = rng.permutation(len(labels))[: int(rate * len(labels))]
    noisy[chosen] = rng.integers(0, num_classes, len(chosen))
    return noisy
    ### END SOLUTION


# %% [markdown]
# nlcore has the same noise. The two draw differently, so single labels differ; the share of wrong labels and the
# transition matrix T, in which T[i, j] is the share of class i that is labelled j, must agree up to chance.
#
# nlcore에도 같은 노이즈가 있습니다. 난수를 뽑는 방식이 달라 레이블 하나하나는 다르지만, 틀린 레이블의 비율과 전이
# 행렬 T(T[i, j]는 클래스 i의 표본 가운데 레이블이 j인 비율)는 우연 오차 범위 안에서 일치해야 합니다.

# %%
data = nlcore.dataset(setting["dataset"])
labels, K = data.train.labels, len(data.classes)
yours = symmetric_noise(labels, K, 0.5, np.random.default_rng(1))
symmetric = nlcore.create("noise", "symmetric", rate=0.5)
theirs = symmetric.corrupt(labels, K, np.random.default_rng(1))


def transition(noisy):
    """Return T, float (K, K), from the labels before and after."""
    counts = np.zeros((K, K))
    np.add.at(counts, (labels, noisy), 1)
    return counts / counts.sum(1, keepdims=True)


figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for axes, title, noisy in zip(panels, ("yours", "nlcore"), (yours, theirs), strict=True):
    axes.imshow(transition(noisy), vmin=0, vmax=1, cmap="Blues")
    wrong = np.mean(noisy != labels)
    axes.set(title=f"{title}: {wrong:.1%} wrong", xlabel="given", ylabel="true")

assert not np.shares_memory(yours, labels)
assert abs(np.mean(yours != labels) - 0.5 * (K - 1) / K) < 0.05
assert np.abs(transition(yours) - transition(theirs)).max() < 0.25

# %% [markdown]
# ## 3. Write the methods · 방법 구현하기
#
# Let q = softmax(f) be the prediction for a sample and t its given label, one-hot.
#
# * **Soft bootstrapping** (Reed et al. 2015) trusts the label by β and the prediction by the rest:
#   $\ell = -\sum_k \left[\beta t_k + (1 - \beta) q_k\right] \log q_k$. The q in the brackets is a constant: detach
#   it.
# * **Hard bootstrapping** takes the predicted class, one-hot, in place of q in the brackets:
#   $\ell = -\sum_k \left[\beta t_k + (1 - \beta) z_k\right] \log q_k$ with $z_k = 1$ for $k = \arg\max_j q_j$,
#   otherwise 0.
# * **Mixup** (Zhang et al. 2018) trains on mixed pairs of images, $\tilde x = \lambda x_i + (1 - \lambda) x_j$, and
#   mixes their losses: $\tilde\ell = \lambda \ell(f(\tilde x), y_i) + (1 - \lambda) \ell(f(\tilde x), y_j)$ with
#   $\lambda \sim \mathrm{Beta}(\alpha, \alpha)$, drawn once for a batch.
#
# A loss returns **one value for each sample**, not their mean. A strategy decides what happens in a step: mixup is
# one. The cell below writes a file, and the file is a plugin: nlcore finds your methods in it by name.
#
# 한 표본에 대한 예측을 q = softmax(f), 주어진 레이블의 원-핫 벡터를 t라고 합시다. 식은 위와 같습니다.
#
# * **소프트 부트스트래핑**(Reed et al. 2015)은 주어진 레이블에 β, 예측에 1 − β의 가중치를 둡니다. 대괄호 안의 q는
#   상수로 취급하므로, 그래디언트가 흐르지 않도록 detach해야 합니다.
# * **하드 부트스트래핑**은 대괄호 안의 q 대신, 예측한 클래스의 원-핫 벡터 z를 씁니다.
# * **mixup**(Zhang et al. 2018)은 두 이미지를 섞어 학습하고 손실도 같은 비율로 섞습니다. λ는 배치마다 한 번 뽑습니다.
#
# 손실 함수는 평균이 아니라 **표본마다 하나의 값**을 반환합니다. 한 스텝에서 무엇을 할지는 전략(strategy)이 정하며,
# mixup도 전략의 하나입니다. 아래 셀은 파일을 하나 만듭니다. 이 파일이 플러그인이며, nlcore는 그 안에서 여러분의
# 방법을 이름으로 찾습니다.

# %%
# %%writefile my_methods.py
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from nlcore import Component, hookimpl, parameter

NLCORE_API = 1


@hookimpl
def nl_losses():
    return [
        Component("my_soft", "my_methods:SoftBootstrapping", "Soft bootstrapping by hand."),
        Component("my_hard", "my_methods:HardBootstrapping", "Hard bootstrapping by hand."),
    ]


@hookimpl
def nl_strategies():
    return [Component("my_mixup", "my_methods:Mixup", "Mixup by hand.")]


def log_softmax(logits):
    """Return log q, (B, K), in at least float32, whatever precision the network runs in."""
    return F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)


@dataclass
class SoftBootstrapping:
    """Cross-entropy with the label mixed with the prediction (Reed et al. 2015)."""

    beta: float = parameter(0.95, "weight of the given label", range="[0, 1]")

    def __call__(self, logits, targets, index=None):
        """Return the losses (B,) for logits (B, K) and targets int64 (B,)."""
        log_q = log_softmax(logits)
        ### BEGIN SOLUTION
        q = log_q.exp().detach()
        t = F.one_hot(targets, logits.shape[1])
        return -((self.beta * t + (1 - self.beta) * q) * log_q).sum(1)
        ### END SOLUTION


@dataclass
class HardBootstrapping:
    """Cross-entropy with the label mixed with the predicted class (Reed et al. 2015)."""

    beta: float = parameter(0.8, "weight of the given label", range="[0, 1]")

    def __call__(self, logits, targets, index=None):
        """Return the losses (B,) for logits (B, K) and targets int64 (B,)."""
        log_q = log_softmax(logits)
        ### BEGIN SOLUTION
        t = F.one_hot(targets, logits.shape[1])
        z = F.one_hot(log_q.argmax(1), logits.shape[1])
        return -((self.beta * t + (1 - self.beta) * z) * log_q).sum(1)
        ### END SOLUTION


@dataclass
class Mixup:
    """Trains on mixed pairs of images, and mixes their losses (Zhang et al. 2018)."""

    no_history = "its network sees mixtures of images"

    alpha: float = parameter(0.2, "α of the Beta distribution", range="(0, inf)")

    def setup(self, ctx):
        self.ctx = ctx
        self.network = ctx.network()
        self.loss = ctx.loss(self.network)
        self.optimizer = ctx.optimizer(self.network, self.loss)

    def begin_epoch(self, epoch):
        seed = self.ctx.generator("mixup", epoch).initial_seed()
        self.rng = np.random.default_rng(seed)

    def step(self, batch):
        """
        Take a step on images (B, C, H, W) with given labels (B,), and return the loss.

        Before it is asked for losses, the loss is shown the logits, once, as those of the
        image that weighs more: `self.loss.observe(logits, index)`. Some losses remember them.
        """
        images, targets, index = batch.images, batch.targets, batch.index
        partner = torch.from_numpy(self.rng.permutation(len(index))).to(index.device)
        ### BEGIN SOLUTION
        lam = self.rng.beta(self.alpha, self.alpha)
        logits = self.network(lam * images + (1 - lam) * images[partner])
        self.loss.observe(logits, index if lam >= 0.5 else index[partner])
        own = self.loss(logits, targets, index)
        other = self.loss(logits, targets[partner], index[partner])
        loss = (lam * own + (1 - lam) * other).mean()
        ### END SOLUTION
        return self.ctx.minimise(self.optimizer, loss)

    def predict(self, images):
        return self.network(images)


# %% [markdown]
# Call `use_plugin` once more whenever you have changed the cell above. Your losses must agree with nlcore's own to
# the last few bits. In a terminal, `nl check my_methods.py` checks more: extreme logits, bf16, gradients, and whether
# a run of your mixup can be stopped and resumed.
#
# 위 셀을 고칠 때마다 `use_plugin`을 다시 호출하십시오. 여러분의 손실 함수는 nlcore의 손실 함수와 거의 마지막 비트까지
# 일치해야 합니다. 터미널에서 `nl check my_methods.py`를 실행하면 극단적인 로짓, bf16, 그래디언트, 그리고 mixup 실행을
# 중단했다가 재개할 수 있는지까지 더 자세히 검사합니다.

# %%
nlcore.use_plugin("my_methods.py")

logits, targets = 3 * torch.randn(100, 10), torch.randint(10, (100,))
for mine, built_in in (("my_soft", "soft_bootstrap"), ("my_hard", "hard_bootstrap")):
    for beta in (0.0, 0.8, 1.0):
        found = nlcore.create("loss", mine, beta=beta)(logits, targets)
        expected = nlcore.create("loss", built_in, beta=beta)(logits, targets)
        torch.testing.assert_close(found, expected)

# %% [markdown]
# ## 4. Compare four methods · 네 가지 방법 비교하기
#
# All four see the same images with the same wrong labels, and begin with the same weights. The first run says how it
# goes, the others are quiet. A run that is done is not done again: run the cell a second time and the results are
# there at once.
#
# 네 방법 모두 같은 이미지와 같은 틀린 레이블을 쓰고, 같은 초기 가중치에서 시작합니다. 첫 번째 실행만 진행 상황을
# 출력합니다. 이미 끝난 실행은 다시 하지 않으므로, 셀을 한 번 더 실행하면 결과가 바로 나옵니다.

# %%
results = {
    "cross-entropy": nlcore.run(**setting),
    "soft bootstrapping": nlcore.run(**setting, loss="my_soft", quiet=True),
    "hard bootstrapping": nlcore.run(**setting, loss="my_hard", quiet=True),
    "mixup": nlcore.run(**setting, strategy="my_mixup", quiet=True),
}

# %%
nlcore.plot(results)

# %%
columns = ["last", "mean_last_10", "best_oracle", "memorised", "corrected", "seconds"]
nlcore.frame(results).set_index("name")[columns]

# %% [markdown]
# In the course's own runs, at the full setting, the last epoch's test accuracies were 76.51 % for cross-entropy,
# 74.54 % for soft and 76.03 % for hard bootstrapping, and 77.35 % for mixup, each from one run.
#
# **Question.** `best_oracle` is the best of all epochs, chosen by the test accuracy itself. Why may a paper not
# report it as the method's accuracy?
#
# 강의에서 전체 설정으로 한 번씩 실행했을 때 마지막 에포크의 테스트 정확도는 교차 엔트로피 76.51%, 소프트 부트스트래핑
# 74.54%, 하드 부트스트래핑 76.03%, mixup 77.35%였습니다.
#
# **질문.** `best_oracle`은 모든 에포크의 테스트 정확도 가운데 가장 높은 값입니다. 논문에서 이 값을 방법의 정확도로
# 보고하면 안 되는 이유는 무엇입니까?

# %% [markdown]
# ## 5. What memorising looks like · 암기 현상 들여다보기
#
# First the network learns what the images have in common, and test accuracy rises. Then it learns the wrong labels
# one by one, and test accuracy falls. The picture shows the share of the wrong labels that the network predicts
# exactly as they were given.
#
# 처음에는 신경망이 이미지들의 공통된 특징을 배우므로 테스트 정확도가 올라갑니다. 그다음에는 틀린 레이블을 하나씩
# 외우면서 테스트 정확도가 떨어집니다. 아래 그림은 틀린 레이블 가운데 신경망이 주어진 그대로 예측하는 비율입니다.

# %%
nlcore.plot(results, metric="memorised")

# %%
results["cross-entropy"]

# %% [markdown]
# **Exercises.** Run cross-entropy once more with `"augmentation": "crop_flip"`. What becomes of the memorised share?
# How much mixup, `**{"strategy.alpha": 1.0}`, is best here? Is the difference larger than that between two seeds,
# `seed=2`?
#
# **연습 문제.** `"augmentation": "crop_flip"`으로 교차 엔트로피를 다시 실행해 보십시오. 암기 비율은 어떻게 됩니까?
# mixup은 어느 정도로 섞을 때(`**{"strategy.alpha": 1.0}`) 결과가 가장 좋습니까? 그 차이는 시드를 바꾸었을
# 때(`seed=2`)의 차이보다 큽니까?

# %% [markdown]
# ## 6. Find the wrong labels · 틀린 레이블 찾기
#
# A network that has learnt all labels by heart predicts each as it was given, so it finds no wrong one. An audit
# trains several networks, each on a part of the data, and asks them about the samples that they have not seen.
#
# 모든 레이블을 외운 신경망은 주어진 레이블을 그대로 예측하므로 틀린 레이블을 찾아내지 못합니다. 그래서
# 오디트(audit)에서는 데이터를 나누어 여러 신경망을 학습시키고, 각 신경망이 학습에 쓰지 않은 표본의 레이블을 예측하게
# 합니다.

# %%
noisy = {key: setting[key] for key in ("dataset", "noise", "noise.rate")}
audit = nlcore.audit(**noisy)
audit

# %% [markdown]
# Here the truth is known, so you can check the audit: how many of the `n` most suspicious labels are really wrong?
# `found` has a row for each sample, the most suspicious first; `true` is the name of its true class.
#
# 여기서는 참 레이블을 알고 있으므로 결과를 확인할 수 있습니다. 가장 의심스러운 `n`개의 레이블 가운데 실제로 틀린 것은
# 몇 개입니까? `found`에는 표본마다 한 행이 의심스러운 순서로 들어 있고, `true`는 참 클래스의 이름입니다.

# %%
found = audit.frame()
places = {str(sample): place for place, sample in enumerate(data.train.ids)}
found["true"] = [data.classes[labels[places[sample]]] for sample in found["id"]]


def precision(n):
    """Return the share of the first n rows whose given label is wrong."""
    ### BEGIN SOLUTION
    first = found.head(n)
    return (first["given"] != first["true"]).mean()
    ### END SOLUTION


wrong = (found["given"] != found["true"]).mean()
print(f"all: {wrong:.1%} wrong")
for n in (50, 200, 500):
    print(f"first {n}: {precision(n):.1%} wrong")

assert precision(50) > wrong

# %%
figure, panels = plt.subplots(2, 8, figsize=(8, 3), layout="constrained")
for axes, row in zip(panels.flat, found.head(16).itertuples(), strict=True):
    axes.imshow(data.train.images[places[row.id]], cmap="gray")
    axes.set_title(f"given {row.given}\nsuggested {row.suggested}", fontsize=7)
    axes.set_axis_off()

# %% [markdown]
# `audit.report` is a page in which you go through the list and decide; [the
# documentation](https://github.com/nlcore/nlcore/tree/main/docs) tells how that goes with your own images.
# `nlcore.sweep` repeats a comparison over seeds and rates of noise.
#
# `audit.report`는 목록을 하나씩 살펴보며 판단할 수 있는 웹 페이지입니다. 자신의 이미지에 적용하는 방법은
# [문서](https://github.com/nlcore/nlcore/tree/main/docs)를 참고하십시오. 여러 시드와 노이즈 비율에 걸쳐 비교를
# 반복하려면 `nlcore.sweep`을 쓰면 됩니다.
