# Workload Wd as a hand-written JAX program, one jitted lax.scan over steps: data sets of N x 2 items, a summary network 64 wide to
# 32 summaries, 6 affine blocks of 2 x 128 on D = 6, Adam with clip. KIND deep-set (2 modules): the twin of
# `couplet bench step --workload wd`; KIND lstm (one layer, one direction, last state; lax.scan over the items): of `wd-lstm`.
#
#   jax_items.py [B [N [KIND]]]
import jax, jax.numpy as jnp, time, sys
B=int(sys.argv[1]) if len(sys.argv)>1 else 64; N=int(sys.argv[2]) if len(sys.argv)>2 else 256
KIND=sys.argv[3] if len(sys.argv)>3 else 'deep-set'
if KIND not in ('deep-set','lstm'): sys.exit(f'KIND: expected deep-set or lstm, found {KIND}')
H=128; D=6; W=64; S=32; C=S; L=6; F=2
def dense(k,i,o,g=1.): return (jax.random.normal(k,(i,o))*g*(2/(i+o))**.5, jnp.zeros(o))
def mlp_init(k,i,o):
    ks=jax.random.split(k,3); return [dense(ks[0],i,H),dense(ks[1],H,H),dense(ks[2],H,o,0.)]
def mlp(p,x):
    for w,b in p[:-1]: x=jax.nn.relu(x@w+b)
    w,b=p[-1]; return x@w+b
def init(k):
    k1,k2=jax.random.split(k)
    flow=[(mlp_init(a,D//2+C,D),mlp_init(b,D//2+C,D)) for a,b in (jax.random.split(q) for q in jax.random.split(k1,L))]
    ks=iter(jax.random.split(k2,20)); mods=[]; i=F
    if KIND=='lstm': return flow,(dense(next(ks),F,4*W),jax.random.normal(next(ks),(W,4*W))/W**.5,dense(next(ks),W,W),dense(next(ks),W,S))
    for _ in range(2): mods.append((dense(next(ks),2*i,W),dense(next(ks),i,W)[0],dense(next(ks),W,W))); i=W
    return flow,(mods,[dense(next(ks),W,W),dense(next(ks),W,W)],dense(next(ks),2*W,W),dense(next(ks),W,S))
def pool(h): return jnp.concatenate([h.mean(1),h.max(1)],1)
def lstm(p,x):
    (iw,ib),u,hidden,out=p; a=jnp.swapaxes(x,0,1)@iw+ib # all products with the input at once, time first
    def cell(hc,a):
        i,f,g,o=jnp.split(a+hc[0]@u,4,1); c=jax.nn.sigmoid(f)*hc[1]+jax.nn.sigmoid(i)*jnp.tanh(g)
        return (jax.nn.sigmoid(o)*jnp.tanh(c),c),None
    (h,_),_=jax.lax.scan(cell,(jnp.zeros((B,W)),jnp.zeros((B,W))),a)
    return jax.nn.relu(h@hidden[0]+hidden[1])@out[0]+out[1]
def summary(p,x):
    if KIND=='lstm': return lstm(p,x)
    mods,rows,hidden,out=p; h=x
    for (cw,cb),w1,(w2,b2) in mods:
        v=pool(h)@cw+cb; h=jax.nn.relu(h@w1+v[:,None]); h=jax.nn.relu(h@w2+b2)
    for w,b in rows: h=jax.nn.relu(h@w+b)
    return jax.nn.relu(pool(h)@hidden[0]+hidden[1])@out[0]+out[1]
d1=D//2
def flow(p,u,c):
    ld=0.
    for n1,n2 in p:
        a,b=u[:,:d1],u[:,d1:]
        h=mlp(n1,jnp.concatenate([b,c],1)); s=1.9*2/jnp.pi*jnp.arctan(h[:,:d1]/1.9); a=a*jnp.exp(s)+h[:,d1:]; ld+=s.sum(1)
        h=mlp(n2,jnp.concatenate([a,c],1)); s=1.9*2/jnp.pi*jnp.arctan(h[:,:d1]/1.9); b=b*jnp.exp(s)+h[:,d1:]; ld+=s.sum(1)
        u=jnp.concatenate([b,a],1)[:,::-1]
    return u,ld
def sim(k):
    k1,k2=jax.random.split(k); th=jax.random.normal(k1,(B,D))
    return th, th[:,None,:2]+jnp.exp(.3*th[:,None,2:4])*jax.random.normal(k2,(B,N,F))
def loss(p,th,x): z,ld=flow(p[0],th,summary(p[1],x)); return (.5*(z**2).sum(1)-ld).mean()
def step(c,k):
    p,m,v,t=c; th,x=sim(k); l,g=jax.value_and_grad(loss)(p,th,x); t=t+1
    n=jnp.sqrt(sum(jnp.sum(a*a) for a in jax.tree.leaves(g))); g=jax.tree.map(lambda a:a*jnp.minimum(1,1.5/n),g)
    m=jax.tree.map(lambda a,b:.9*a+.1*b,m,g); v=jax.tree.map(lambda a,b:.999*a+.001*b*b,v,g)
    p=jax.tree.map(lambda p,m,v:p-5e-4*(m/(1-.9**t))/(jnp.sqrt(v/(1-.999**t))+1e-8),p,m,v); return (p,m,v,t),l
run=jax.jit(lambda c,k: jax.lax.scan(step,c,k))
p=init(jax.random.key(0)); z=jax.tree.map(jnp.zeros_like,p); c=(p,z,z,0.); n=20
o=run(c,jax.random.split(jax.random.key(1),n)); jax.block_until_ready(o); best=1e9
for _ in range(5):
    t=time.time(); o=run(o[0],jax.random.split(jax.random.key(2),n)); jax.block_until_ready(o); best=min(best,time.time()-t)
print(f"JAX scan Wd {KIND} B={B} N={N} params={sum(a.size for a in jax.tree.leaves(p))}: {1e3*best/n:.2f} ms a step, loss {o[1].mean():.3f}")
