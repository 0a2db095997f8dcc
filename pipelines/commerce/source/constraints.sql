-- Runs once, in the transaction that has filled the tables.

ALTER TABLE public.categories ADD PRIMARY KEY (id), ADD UNIQUE (name);
ALTER TABLE public.users ADD PRIMARY KEY (id), ADD UNIQUE (email);
ALTER TABLE public.products ADD PRIMARY KEY (id);
ALTER TABLE public.carts ADD PRIMARY KEY (id);
ALTER TABLE public.cart_items ADD PRIMARY KEY (id);
ALTER TABLE public.orders ADD PRIMARY KEY (id), ADD UNIQUE (cart_id);
ALTER TABLE public.order_items ADD PRIMARY KEY (id);
ALTER TABLE public.user_actions ADD PRIMARY KEY (id);

CREATE INDEX ON public.categories (updated_at);
CREATE INDEX ON public.users (updated_at);
CREATE INDEX ON public.products (updated_at);
CREATE INDEX ON public.carts (updated_at);
CREATE INDEX ON public.cart_items (updated_at);
CREATE INDEX ON public.orders (updated_at);
CREATE INDEX ON public.order_items (updated_at);
CREATE INDEX ON public.user_actions (updated_at);
-- Deleting a cart looks for its items by this.
CREATE INDEX ON public.cart_items (cart_id);

ALTER TABLE public.products ADD FOREIGN KEY (category_id) REFERENCES public.categories;
ALTER TABLE public.carts ADD FOREIGN KEY (user_id) REFERENCES public.users;
ALTER TABLE public.cart_items
  ADD FOREIGN KEY (cart_id) REFERENCES public.carts ON DELETE CASCADE,
  ADD FOREIGN KEY (product_id) REFERENCES public.products;
-- No cascade: a cart with an order cannot be deleted.
ALTER TABLE public.orders
  ADD FOREIGN KEY (cart_id) REFERENCES public.carts,
  ADD FOREIGN KEY (user_id) REFERENCES public.users;
ALTER TABLE public.order_items
  ADD FOREIGN KEY (order_id) REFERENCES public.orders,
  ADD FOREIGN KEY (product_id) REFERENCES public.products;
ALTER TABLE public.user_actions ADD FOREIGN KEY (user_id) REFERENCES public.users;
