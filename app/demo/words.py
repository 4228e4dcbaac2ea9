"""What the demonstration is made of: people and places, teas and their prices, and what is said in a tea house.

Nobody here exists: addresses are those of example.com, and numbers are of ranges that are nobody's or kept for fiction.
"""

from typing import NamedTuple


class Place(NamedTuple):
    """`phone` takes 100 to 199, in China up to 9999; `currency`: of what is bought online; `share`: in a hundred."""

    city: str
    region: str
    country: str
    language: str
    phone: str
    currency: str
    share: int


_CHINA = "+86 100 0000 {:04}"
PLACES = (
    Place("杭州", "浙江", "CN", "zh-Hans", _CHINA, "CNY", 30),
    Place("上海", "上海", "CN", "zh-Hans", _CHINA, "CNY", 22),
    Place("苏州", "江苏", "CN", "zh-Hans", _CHINA, "CNY", 12),
    Place("北京", "北京", "CN", "zh-Hans", _CHINA, "CNY", 8),
    Place("广州", "广东", "CN", "zh-Hans", _CHINA, "CNY", 6),
    Place("成都", "四川", "CN", "zh-Hans", _CHINA, "CNY", 5),
    Place("厦门", "福建", "CN", "zh-Hans", _CHINA, "CNY", 4),
    Place("香港", "香港", "HK", "zh-Hant", "+852 5550 {:04}", "USD", 3),
    Place("Paris", "Île-de-France", "FR", "fr", "+33 6 3998 {:04}", "EUR", 3),
    Place("Berlin", "Berlin", "DE", "de", "+49 30 23125{:03}", "EUR", 2),
    Place("London", "England", "GB", "en", "+44 7700 900{:03}", "EUR", 2),
    Place("New York", "New York", "US", "en", "+1 212 555 {:04}", "USD", 3),
)


def _pairs(text: str) -> list[tuple[str, str]]:
    """As it is written, and as it is said, which makes the email."""
    return [(written, said) for written, said in (pair.split("/") for pair in text.split())]


SURNAMES = _pairs(
    "王/wang 李/li 张/zhang 刘/liu 陈/chen 杨/yang 赵/zhao 黄/huang 周/zhou 吴/wu 徐/xu 孙/sun 胡/hu "
    "朱/zhu 高/gao 林/lin 何/he 郭/guo 马/ma 罗/luo 梁/liang 宋/song 郑/zheng 谢/xie 韩/han 唐/tang "
    "冯/feng 于/yu 董/dong 萧/xiao 程/cheng 曹/cao 袁/yuan 邓/deng 许/xu 傅/fu 沈/shen 曾/zeng 彭/peng "
    "吕/lyu 苏/su 卢/lu 蒋/jiang 蔡/cai 欧阳/ouyang 诸葛/zhuge"
)
GIVEN_NAMES = _pairs(
    "芳/fang 伟/wei 敏/min 静/jing 磊/lei 洋/yang 勇/yong 艳/yan 杰/jie 娟/juan 涛/tao 明/ming 超/chao "
    "霞/xia 平/ping 刚/gang 晓雯/xiaowen 雨桐/yutong 子涵/zihan 欣怡/xinyi 浩然/haoran 梓轩/zixuan "
    "诗涵/shihan 宇航/yuhang 佳怡/jiayi 思远/siyuan 若曦/ruoxi 嘉豪/jiahao 志强/zhiqiang 秀英/xiuying "
    "建国/jianguo 丽华/lihua 桂香/guixiang 海燕/haiyan 文博/wenbo 天佑/tianyou 雅琴/yaqin 梦瑶/mengyao "
    "俊杰/junjie 一诺/yinuo 知夏/zhixia 清欢/qinghuan 景行/jingxing"
)
WESTERN = {
    "FR": (("Camille", "Hugo", "Inès", "Louis", "Manon", "Théo"), ("Bernard", "Dubois", "Lefèvre", "Moreau", "Roux")),
    "DE": (("Anna", "Felix", "Jonas", "Lena", "Paul", "Sophie"), ("Becker", "Hoffmann", "Müller", "Schäfer", "Vogel")),
    "GB": (("Alice", "George", "Harriet", "Oliver", "Priya", "Tom"), ("Ahmed", "Clarke", "Evans", "Patel", "Wright")),
    "US": (("Ava", "Daniel", "Grace", "Liam", "Maya", "Noah"), ("Garcia", "Johnson", "Kim", "Nguyen", "Taylor")),
}
COMPANY_NAMES = _pairs(
    "云栖/yunqi 望湖/wanghu 听雨/tingyu 半山/banshan 远帆/yuanfan 竹里/zhuli 青石/qingshi 南屏/nanping"
)
COMPANY_KINDS = ("酒店", "民宿", "律师事务所", "科技有限公司", "书店", "瑜伽馆", "建筑事务所")
SHOPS = ("杭州湖滨店", "上海武康店", "苏州平江店", "北京国贸店")


class Tea(NamedTuple):
    sku: str
    name: str
    category: str
    price: int


DRINKS = (
    Tea("DR-01", "抹茶拿铁 Matcha latte", "Drinks", 32),
    Tea("DR-02", "桂花乌龙 Osmanthus oolong", "Drinks", 28),
    Tea("DR-03", "茉莉奶绿 Jasmine milk tea", "Drinks", 24),
    Tea("DR-04", "陈皮白茶 White tea with tangerine peel, pot", "Drinks", 58),
    Tea("SN-01", "绿豆糕 Mung bean cakes", "Snacks", 38),
)
LEAVES = (
    Tea("GR-01", "明前龙井 Longjing before Qingming, 50 g", "Green tea", 168),
    Tea("GR-02", "碧螺春 Biluochun, 50 g", "Green tea", 138),
    Tea("OO-01", "铁观音 Tieguanyin, 100 g", "Oolong", 118),
    Tea("OO-02", "大红袍 Da Hong Pao, 50 g", "Oolong", 198),
    Tea("PU-01", "普洱熟茶饼 Ripe pu'er cake, 357 g", "Pu'er", 268),
    Tea("PU-02", "普洱生茶饼 Raw pu'er cake, 357 g", "Pu'er", 398),
    Tea("WH-01", "白毫银针 Silver needle, 50 g", "White tea", 228),
    Tea("BL-01", "正山小种 Lapsang souchong, 50 g", "Black tea", 128),
    Tea("JA-01", "茉莉龙珠 Jasmine pearls, 100 g", "Scented tea", 98),
)
TREASURES = (
    Tea("GI-01", "清河礼盒 Qinghe gift box", "Gifts", 368),
    Tea("GI-02", "中秋礼盒 Mid-autumn gift box", "Gifts", 528),
    Tea("WA-01", "紫砂壶 Yixing teapot", "Teaware", 680),
    Tea("WA-02", "盖碗 Gaiwan", "Teaware", 158),
    Tea("WS-01", "双人茶席 Tea table for two", "Workshops", 298),
)
BLEND = Tea("TM-01", "定制拼配 Blend made to wish, 200 g", "Made to wish", 320)

# In Chinese, and for everybody else.
SAID = {
    "QUESTION": (
        ("请问龙井什么时候上新？", "When will the new Longjing arrive?"),
        ("普洱饼怎么存放比较好？", "How should I store a pu'er cake?"),
        ("周末可以订四个人的茶席吗？", "Can I book a tea table for four at the weekend?"),
    ),
    "ANSWER": (
        ("您好，已为您查好，稍后给您发详情。", "Thank you for asking: we have looked it up for you."),
        ("可以的，已经帮您安排好了。", "Certainly, it is arranged."),
    ),
    "CALL": (("回访最近一次购买的口感。", "How the last order tasted."),),
    "MEETING": (("到店品茶，聊了口味和送礼计划。", "A tasting, and a talk about gifts for the year."),),
    "BROWSE": (("乌龙茶专区", "Oolong teas"), ("茶具", "Teaware"), ("礼盒", "Gift boxes")),
    "SEARCH": (("明前龙井", "longjing"), ("紫砂壶", "yixing teapot")),
    "CLICK": (("新茶上市", "The new harvest is here"), ("会员日", "Members' day")),
    "REVIEW": (
        ("回甘很好，包装也用心。", "A long aftertaste, and wrapped with care."),
        ("香气不错。", "A fine scent."),
    ),
    "SOCIAL": (("分享了今天的茶席照片。", "Shared a picture of the tea table."),),
    "EVENT": (("春茶品鉴会", "Spring tasting"), ("斗茶之夜", "An evening of tea contests")),
    "CARE": (("生日快乐，送您一杯桂花乌龙。", "Happy birthday: an osmanthus oolong is on us."),),
    "NEED": (
        ("低咖啡因，适合晚上喝。", "Low in caffeine, for the evening."),
        ("给客户的小份礼盒。", "Small gifts for guests."),
    ),
    "CO_CREATION": (
        ("参加新品盲品小组。", "Joined the tasting panel for new teas."),
        ("一起调配秋季拼配茶。", "A joint autumn blend."),
    ),
    "REFERRAL": (("介绍的朋友已下单。", "The friend they sent us has bought."),),
    "COMPLAINT": (
        ("收到的茶罐有破损。", "The tin arrived damaged."),
        ("配送晚了三天。", "Delivery was three days late."),
        ("这批铁观音味道偏淡。", "This Tieguanyin is weaker than the last."),
    ),
    "RESOLUTION": (("已补发并致歉。", "Sent again, with our apologies."), ("已退款。", "The money was given back.")),
    "QUOTE_ACCEPTED": (("接受了办公室茶饮月度报价。", "Accepted the monthly quote for office tea."),),
    "CONTRACT_SIGNED": (("签订年度供茶合同。", "Signed to be supplied for a year."),),
    "NOTE": (("喜欢靠窗的座位。", "Likes the seat at the window."),),
    "COME_BACK": (("好久不见，到店为您留了一杯茶。", "It has been a while: a cup of tea waits for you here."),),
    "HARVEST": (("明前龙井到了，今年的第一口春天。", "The first Longjing of the year has arrived."),),
    "THANKS": (
        ("谢谢，周末来喝茶。", "Thank you, I will come by at the weekend."),
        ("收到，谢谢！", "How kind, thank you!"),
    ),
    "OTHER": (("寄来一张明信片。", "Sent us a postcard."),),
}
