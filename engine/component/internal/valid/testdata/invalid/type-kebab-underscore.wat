;; function: the name "a_b" is not in kebab case
(component (type (func (param "a_b" u8))))
