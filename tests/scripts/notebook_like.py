#!/usr/bin/env python
# coding: utf-8

# # A small classifier
#
# Exported from a notebook.

# In[1]:


import torch
from digest import digest
from torch import nn

_ = torch.manual_seed(0)


# In[2]:


X = torch.randn(32, 4)
y = (X[:, 0] * X[:, 1] > 0).long()
X.shape, y.float().mean()


# In[3]:


model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.AdamW(model.parameters(), lr=1e-2)
loss_fn = nn.CrossEntropyLoss()


# In[4]:


history = []
for epoch in range(5):
    opt.zero_grad()
    loss = loss_fn(model(X), y)
    loss.backward()
    opt.step()
    history.append(loss.item())
history


# In[5]:


# a look between two cells
model(X[:2]).softmax(-1)


# In[6]:


for epoch in range(2):
    opt.zero_grad()
    loss_fn(model(X), y).backward()
    opt.step()
print("weights", digest(model))
